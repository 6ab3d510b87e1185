package session

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// GenerateSecret returns a fresh master secret of MinSecret random bytes.
func GenerateSecret() []byte {
	secret := make([]byte, MinSecret)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	return secret
}

// LoadSecret returns the secret that the state directory keeps under name, and
// makes one when there is none: a directory of mode 0700, and in it a file of mode
// 0600 with one line of base64url. The file appears whole or not at all, and of
// two processes that start at once both get the same secret.
//
// A file that others may read is refused, and so are a symbolic link, a file of
// another shape, and a directory that everybody may write to.
func LoadSecret(dir, name string) ([]byte, error) {
	if name == "" || name != filepath.Base(name) {
		return nil, fmt.Errorf("secret %q: expected a file name without a path", name)
	}
	if err := ensureStateDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createSecret(dir, path); err != nil {
		return nil, fmt.Errorf("making the secret %q: %w", path, err)
	}
	return readSecret(path)
}

// createSecret puts a new secret at path unless one is there already. A link is
// used rather than a rename, since a rename would replace the secret that another
// process has made and used in the meantime.
func createSecret(dir, path string) error {
	temp, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	line := base64.RawURLEncoding.EncodeToString(GenerateSecret()) + "\n"
	_, err = temp.WriteString(line)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("secret %q: expected a regular file, got %s", path, info.Mode().Type())
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("secret %q: mode is %#o, so others than its owner may use it; expected 0600 (if it may have been read: delete the file, a new one is made)", path, perm)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	secret, err := decodeText(string(bytes.TrimRight(data, "\r\n")))
	if err != nil || len(secret) < MinSecret {
		return nil, fmt.Errorf("secret %q: expected one line of base64url text for at least %d bytes, got %d bytes of something else (delete the file to have a new one made)", path, MinSecret, len(data))
	}
	return secret, nil
}

// ensureStateDir makes the state directory when it is missing.
func ensureStateDir(dir string) error {
	if dir == "" {
		return errors.New("state directory: no path given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o002 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("state directory %q: mode is %#o, so everybody may replace its files; expected 0700 (or name a directory below it, it is made)", dir, perm)
	}
	return nil
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be flushed there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
