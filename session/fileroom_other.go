//go:build !linux && !darwin

package session

// roomIn is not known here: what the disk refuses is noticed all the same.
func roomIn(string) (bytes uint64, ok bool) { return 0, false }
