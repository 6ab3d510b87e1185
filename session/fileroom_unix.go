//go:build linux || darwin

package session

import "syscall"

// roomIn is how many bytes somebody without privileges may still write to the disk of a
// directory, and whether that is known.
func roomIn(dir string) (bytes uint64, ok bool) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, false
	}
	return disk.Bavail * uint64(disk.Bsize), true
}
