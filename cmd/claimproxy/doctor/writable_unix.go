//go:build unix

package doctor

import "golang.org/x/sys/unix"

// writable says whether this user can make files in a directory, without making one.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
