package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// gate keeps requests from a server that does not answer: each of them would wait for
// it, and all would come at once when it is back. After some failures in a row it is
// shut for a moment; then one request tries, and the others follow when it got through.
// The nil gate is always open.
type gate struct {
	mu     sync.Mutex
	failed int
	err    error
	shut   time.Time // until when
}

const (
	// gateAfter is how many failures in a row shut the gate.
	gateAfter = 3
	// gateShut is for how long, give or take a half.
	gateShut = 300 * time.Millisecond
)

func (g *gate) pass() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failed < gateAfter:
		return nil
	case time.Now().Before(g.shut):
		return fmt.Errorf("not asked again yet: %w", g.err)
	}
	g.close() // for all but this one
	return nil
}

func (g *gate) close() { g.shut = time.Now().Add(jittered(gateShut)) }

// came notes what came of a request. An answer is an answer, even one that says no.
func (g *gate) came(ctx context.Context, err error) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var refusal *Refusal
	switch {
	case err == nil, errors.As(err, &refusal):
		g.failed, g.err = 0, nil
	case ctx.Err() != nil: // nobody knows
	default:
		g.err = err
		if g.failed++; g.failed == gateAfter {
			g.close()
		}
	}
}

// jittered is about d: at least a half of it, and less than one and a half.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d) }
