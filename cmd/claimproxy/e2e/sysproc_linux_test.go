package e2e

import "syscall"

// ownGroup puts a program in a process group of its own, so that it is ended
// with its children, and ends it when the test binary dies without cleaning up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
