package e2e

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What can be taken away from a program that runs.
const (
	fileLimit     = unix.RLIMIT_NOFILE
	fileSizeLimit = unix.RLIMIT_FSIZE
)

// limit lets a program that runs have no more of something. What is returned takes that
// back, and may be called more than once.
func (p *process) limit(t testing.TB, what int, most uint64) (restore func()) {
	t.Helper()
	pid := p.cmd.Process.Pid
	var old unix.Rlimit
	if err := unix.Prlimit(pid, what, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, what, &unix.Rlimit{Cur: most, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := unix.Prlimit(pid, what, &old, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// smallDisk mounts a disk with little room at a directory, until the test ends. Whoever
// may not do that does without the test.
func smallDisk(t testing.TB, dir, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk; that files may not grow is tested all the same")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
}
