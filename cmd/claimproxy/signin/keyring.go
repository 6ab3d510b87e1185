package signin

import (
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring keeps secrets for a person, each by a name. The error of Get is
// ErrNotInKeyring where there is none of that name.
type Keyring interface {
	Get(name string) (string, error)
	Set(name, secret string) error
	Delete(name string) error
}

// ErrNotInKeyring is that a keyring has no secret of a name.
var ErrNotInKeyring = keyring.ErrNotFound

// SystemKeyring is the keyring of the operating system: the Secret Service of a desktop,
// the keychain of macOS, the credential manager of Windows.
type SystemKeyring struct{}

const keyringService = "claimproxy"

// keyringPatience is how long a keyring may take: it may be locked, and ask the person.
const keyringPatience = time.Minute

// Get returns a secret.
func (SystemKeyring) Get(name string) (string, error) {
	found := make(chan string, 1)
	if err := inTime(func() error {
		secret, err := keyring.Get(keyringService, name)
		found <- secret
		return err
	}); err != nil {
		return "", err
	}
	return <-found, nil
}

// Set keeps a secret in the place of the one of that name.
func (SystemKeyring) Set(name, secret string) error {
	return inTime(func() error { return keyring.Set(keyringService, name, secret) })
}

// Delete forgets a secret.
func (SystemKeyring) Delete(name string) error {
	return inTime(func() error {
		if err := keyring.Delete(keyringService, name); !errors.Is(err, keyring.ErrNotFound) {
			return err
		}
		return nil
	})
}

// inTime gives up on a keyring that does not answer. What goes on asking it ends with the
// program.
func inTime(ask func() error) error {
	done := make(chan error, 1)
	go func() { done <- ask() }()
	select {
	case err := <-done:
		return err
	case <-time.After(keyringPatience):
		return fmt.Errorf("it did not answer within %v", keyringPatience)
	}
}
