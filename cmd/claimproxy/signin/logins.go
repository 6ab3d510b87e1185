package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// login is what is noted about being signed in at an origin. There is one for each.
type login struct {
	Origin   string   `json:"origin"`
	Provider string   `json:"provider"`
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
	Resource string   `json:"resource,omitempty"`
	// ProviderHeader is where Provider is said beside a token; empty for nowhere.
	ProviderHeader string `json:"provider_header,omitempty"`
	// InKeyring is that the tokens are in the keyring, and not here.
	InKeyring bool    `json:"in_keyring"`
	Tokens    *tokens `json:"tokens,omitempty"`
}

// tokens are the secret part of a login.
type tokens struct {
	Access string `json:"access_token"`
	// Expiry is when the access token ends; zero where the provider does not say.
	Expiry time.Time `json:"expiry,omitzero"`
	// Refresh is empty where the provider gave none.
	Refresh string `json:"refresh_token,omitempty"`
}

// errNotSignedIn is that there is no login for an origin.
var errNotSignedIn = errors.New("you are not signed in")

// file is where the login of an origin is noted.
func (a *Agent) file(origin string) string {
	return filepath.Join(a.Dir, url.QueryEscape(origin)+".json")
}

// lockedLogin is locked for an origin where there is a login, and leaves nothing behind where
// there is none: git asks about every host that it meets.
func (a *Agent) lockedLogin(ctx context.Context, origin string, work func() error) error {
	if _, err := os.Stat(a.file(origin)); errors.Is(err, fs.ErrNotExist) {
		return notSignedIn(origin)
	}
	return a.locked(ctx, origin, work)
}

func notSignedIn(origin string) error {
	return fmt.Errorf("%w at %s: run \"claimproxy login %s\"", errNotSignedIn, origin, origin)
}

// locked runs work while nobody else, in any process, does anything with the login of an
// origin.
func (a *Agent) locked(ctx context.Context, origin string, work func() error) error {
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(a.file(origin)+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("another claimproxy is busy with the login of %s: %w", origin, err)
	}
	defer lock.Close()
	return work()
}

// lockPatience is how long another process may take, which may be waiting for its provider
// and for a person who unlocks the keyring.
const lockPatience = 2 * time.Minute

// load reads the login of an origin with its tokens. The lock is held.
func (a *Agent) load(origin string) (*login, error) {
	l, err := a.read(a.file(origin))
	if errors.Is(err, fs.ErrNotExist) || err == nil && l.Origin != origin {
		return nil, notSignedIn(origin)
	}
	if err != nil {
		return nil, err
	}
	if !l.InKeyring {
		if l.Tokens == nil {
			return nil, fmt.Errorf("the login of %s has no tokens: run \"claimproxy login %s\"", origin, origin)
		}
		return l, nil
	}
	secret, err := a.Keyring.Get(origin)
	if errors.Is(err, ErrNotInKeyring) {
		return nil, fmt.Errorf("the keyring has no tokens for %s any more: run \"claimproxy login %s\"", origin, origin)
	}
	if err != nil {
		return nil, fmt.Errorf("the keyring, where the tokens for %s are, cannot be read: %s", origin, clean(err.Error()))
	}
	l.Tokens = new(tokens)
	if err := json.Unmarshal([]byte(secret), l.Tokens); err != nil {
		return nil, fmt.Errorf("what the keyring has for %s is not claimproxy's", origin)
	}
	return l, nil
}

// read reads a noted login.
func (a *Agent) read(file string) (*login, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others than you can read or change %s: run \"chmod 600 %s\" if that was not so all along, else sign in again", file, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l := new(login)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("%s is not as claimproxy has written it: remove it and sign in again", file)
	}
	return l, nil
}

// save keeps a login: its tokens in the keyring, or with all else in its file where there is
// no keyring or it does not take them. It returns why it is the file. The lock is held.
func (a *Agent) save(l *login) (why error, err error) {
	secret, err := json.Marshal(l.Tokens)
	if err != nil {
		return nil, err
	}
	noted := *l
	if a.Keyring == nil {
		why = errors.New("there is no keyring")
	} else {
		why = a.Keyring.Set(l.Origin, string(secret))
	}
	if noted.InKeyring = why == nil; noted.InKeyring {
		noted.Tokens = nil
	}
	l.InKeyring = noted.InKeyring
	data, err := json.MarshalIndent(noted, "", "  ")
	if err != nil {
		return why, err
	}
	return why, writeFile(a.file(l.Origin), append(data, '\n'))
}

// writeFile writes a file that is either the old or the new one, whatever happens, and
// readable by its owner alone at all times.
func writeFile(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// forget removes a login. The lock is held.
func (a *Agent) forget(l *login) error {
	var err error
	if l.InKeyring && a.Keyring != nil {
		err = a.Keyring.Delete(l.Origin)
	}
	return errors.Join(err, os.Remove(a.file(l.Origin)))
}

// others are the noted logins of other origins, without tokens.
func (a *Agent) others(origin string) []*login {
	files, err := filepath.Glob(filepath.Join(a.Dir, "*.json"))
	if err != nil {
		return nil
	}
	var list []*login
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), ".") {
			continue
		}
		if l, err := a.read(file); err == nil && l.Origin != origin {
			list = append(list, l)
		}
	}
	return list
}
