package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapRoom is by how much the heap may grow before it is collected, at least. Most
	// installations have a few megabytes in use; to collect whenever these have doubled, as
	// Go does, costs a tenth of what a request takes.
	heapRoom = 12 << 20
	// usualGCPercent is Go's own.
	usualGCPercent = 100
	// mostGCPercent bounds what a heap of next to nothing gets.
	mostGCPercent = 400
)

// gcPercent is how much a heap may grow of which so many bytes are in use, in percent.
func gcPercent(live uint64) int {
	return int(max(usualGCPercent, min(mostGCPercent, heapRoom*100/max(live, 1))))
}

// spareCollections gives a small heap room to grow, and a large one what Go gives it. Who
// has set GOGC gets that. It lasts as long as the process.
func spareCollections() {
	if os.Getenv("GOGC") != "" {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := usualGCPercent
	var collected func(*[16]byte)
	collected = func(*[16]byte) {
		metrics.Read(sample)
		// Setting it stops the world for a moment, so small changes are none.
		if want := gcPercent(sample[0].Value.Uint64()); want < now*3/4 || want > now*5/4 || want == usualGCPercent && now != want {
			now = want
			debug.SetGCPercent(want)
		}
		runtime.SetFinalizer(new([16]byte), collected) // which is called after the next collection
	}
	runtime.SetFinalizer(new([16]byte), collected)
}
