//go:build !linux

package e2e

import "testing"

const fileLimit, fileSizeLimit = 0, 0

// limit is for Linux alone.
func (p *process) limit(t testing.TB, _ int, _ uint64) (restore func()) {
	t.Helper()
	t.Skip("limits of a program that runs can be changed on Linux alone")
	return nil
}

// smallDisk is for Linux alone.
func smallDisk(t testing.TB, _, _ string) {
	t.Helper()
	t.Skip("small disks are mounted on Linux alone")
}
