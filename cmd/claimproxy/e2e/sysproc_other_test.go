//go:build unix && !linux

package e2e

import "syscall"

// ownGroup puts a program in a process group of its own, so that it is ended
// with its children.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
