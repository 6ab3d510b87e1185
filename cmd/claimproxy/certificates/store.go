package certificates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Store keeps certificates, keys and what is under way, by name. It is safe for concurrent
// use. Names have no slashes.
type Store interface {
	// Get returns what Put has kept, or an error that is fs.ErrNotExist.
	Get(ctx context.Context, name string) ([]byte, error)
	// Put keeps data whole or not at all. After life nobody needs it.
	Put(ctx context.Context, name string, data []byte, life time.Duration) error
	// Remove removes what is there. That nothing is, is no error.
	Remove(ctx context.Context, name string) error
	// Alone runs do while nobody else who shares the store runs one for the same name. It
	// waits for its turn as long as ctx allows.
	Alone(ctx context.Context, name string, do func(context.Context) error) error
}

// errStore says that it is the store's fault.
var errStore = errors.New("what certificates are kept in")

// get is Get with nil for nothing.
func get(ctx context.Context, store Store, name string) ([]byte, error) {
	data, err := store.Get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStore, err)
	}
	return data, nil
}

// put is Put that says whose fault it is.
func put(ctx context.Context, store Store, name string, data []byte, life time.Duration) error {
	if err := store.Put(ctx, name, data, life); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	return nil
}

// alone is Alone that says so when there was no turn.
func alone(ctx context.Context, store Store, name string, do func(context.Context) error) error {
	ran := false
	err := store.Alone(ctx, name, func(ctx context.Context) error {
		ran = true
		return do(ctx)
	})
	if err != nil && !ran {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	return err
}

// Directory is a Store of files in a directory, which is made for its owner alone. Whoever
// can read it has the private keys.
type Directory string

// Get implements Store.
func (d Directory) Get(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), name))
}

// Put implements Store. Files are as old as they are: nothing removes them after life.
func (d Directory) Put(_ context.Context, name string, data []byte, _ time.Duration) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(string(d), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), filepath.Join(string(d), name))
}

// Remove implements Store.
func (d Directory) Remove(_ context.Context, name string) error {
	if err := os.Remove(filepath.Join(string(d), name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lockPause is how often a turn is looked for that another process has.
const lockPause = 250 * time.Millisecond

// Alone implements Store, by a lock on a file that a process lets go of when it dies.
func (d Directory) Alone(ctx context.Context, name string, do func(context.Context) error) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(string(d), "."+name+".lock"))
	if _, err := lock.TryLockContext(ctx, lockPause); err != nil {
		return err
	}
	defer lock.Close()
	return do(ctx)
}
