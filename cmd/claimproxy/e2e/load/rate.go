package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// paced sends requests at a fixed rate, whatever becomes of those before. How long one took
// is counted from the moment when it was due: one that had to wait for a connection because
// others were slow has waited, too.
func paced(ctx context.Context, dial func() client, conns int, rate float64, lasts time.Duration, next func() (shot, bool)) (turn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var due atomic.Int64
	total := int64(rate * lasts.Seconds())
	gap := time.Duration(float64(time.Second) / rate)
	micros := make([][]uint32, conns)
	clients := make([]client, conns)
	for i := range clients {
		clients[i] = dial()
		if err := clients[i].open(ctx); err != nil {
			return turn{}, err
		}
		defer clients[i].Close()
	}
	began := time.Now().Add(10 * time.Millisecond)
	var workers sync.WaitGroup
	for i, c := range clients {
		workers.Go(func() {
			for ctx.Err() == nil {
				n := due.Add(1) - 1
				if n >= total {
					return
				}
				at := began.Add(time.Duration(n) * gap)
				time.Sleep(time.Until(at))
				s, _ := next()
				if err := c.exchange(&s); err != nil {
					cancel(err)
					return
				}
				micros[i] = append(micros[i], uint32(time.Since(at).Microseconds()))
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return turn{}, err
	}
	t := turn{took: time.Since(began), micros: slices.Concat(micros...)}
	slices.Sort(t.micros)
	if t.answers = len(t.micros); t.answers == 0 {
		return turn{}, errors.New("there was no answer")
	}
	return t, nil
}

// atHalf measures latencies at half of the rate that the bare proxy can answer at most.
func atHalf(w *world) (*table, error) {
	makers := []maker{
		bareProxy("/x"), named("claimproxy, public", ours(setup{path: "/public/x"})), named("claimproxy, session, 5 groups", ours(setup{path: "/x", person: few})),
	}
	contenders, end, err := w.contenders(makers)
	defer end()
	if err != nil {
		return nil, err
	}
	var most series
	for range 3 {
		t, err := w.turn(contenders[0], 0)
		if err != nil {
			return nil, err
		}
		most = append(most, t.Rate)
	}
	slices.Sort(most)
	rate := median(most) / 2
	p50, p99, ratios := make([]series, len(contenders)), make([]series, len(contenders)), make([]series, len(contenders))
	for round := range w.options.rounds {
		for i, c := range contenders {
			t, err := paced(w.ctx, c.dialer(), 4*w.options.conns, rate, time.Duration(w.options.seconds*float64(time.Second)), c.next(round))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			p50[i] = append(p50[i], milliseconds(t.quantile(.5)))
			p99[i] = append(p99[i], milliseconds(t.quantile(.99)))
			ratios[i] = append(ratios[i], p99[i][round]/p99[0][round])
		}
	}
	result := &table{Columns: []string{fmt.Sprintf("at %.0f requests a second", rate), "p50 ms", "p99 ms", "p99 x"}}
	for i, c := range contenders {
		result.add(c.name, p50[i].cell("%.2f"), p99[i].cell("%.2f"), ratios[i].cell("%.2f"))
	}
	return result, nil
}
