//go:build unix

package proxy

import "syscall"

// nothingToRead reports whether a connection, whose socket does not block, is open and
// has nothing to be read.
func nothingToRead(fd uintptr) bool {
	var b [1]byte
	for {
		_, err := syscall.Read(int(fd), b[:])
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
