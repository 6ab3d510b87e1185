package main

import "testing"

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: mostGCPercent, 1 << 20: mostGCPercent, 4 << 20: 300, 6 << 20: 200, 12 << 20: usualGCPercent, 1 << 30: usualGCPercent,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes: %d%%, want %d%%", live, got, want)
		}
	}
}
