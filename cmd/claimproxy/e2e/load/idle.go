package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// manyConnections is how many are left open while nobody sends anything.
const manyConnections = 10000

// idling measures what a contender takes that has nothing to do: its memory after the
// start, how long the start takes until the first answer, and what each of ten thousand
// connections takes on which one request was answered.
func idling(w *world) (*table, error) {
	// Each side needs a descriptor for every connection, and children inherit the limit.
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	if limit.Cur = limit.Max; limit.Max < manyConnections+1000 {
		return nil, fmt.Errorf("%d open files are allowed, %d are needed", limit.Max, manyConnections+1000)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	kinds := []maker{bareProxy("/public/x"), ours(setup{path: "/public/x"}), named("claimproxy, to the provider", ours(setup{path: "/.auth/start/invent?return_to=%2Fx", want: redirect}))}
	result := &table{Columns: []string{"", "first answer after ms", "idle MB", "KB for each of 10,000 idle connections"}}
	for _, m := range kinds {
		var start, idle, each series
		for range w.options.rounds {
			if err := w.idle(m, &start, &idle, &each); err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
		}
		result.add(m.name, start.cell("%.0f"), idle.cell("%.1f"), each.cell("%.1f"))
	}
	return result, nil
}

// idle measures a contender once.
func (w *world) idle(m maker, start, idle, each *series) error {
	contenders, end, err := w.contenders([]maker{m})
	defer end()
	if err != nil {
		return err
	}
	c := contenders[0]
	s, _ := c.next(0)()
	first := newConnection(c.addr, nil)
	if err := first.open(w.ctx); err != nil {
		return err
	}
	defer first.Close()
	if err := first.exchange(&s); err != nil {
		return err
	}
	*start = append(*start, milliseconds(time.Since(c.process.started)))
	pause(w.ctx, time.Second)
	before, err := c.process.resident()
	if err != nil {
		return err
	}
	*idle = append(*idle, float64(before)/1e6)
	open, err := w.crowd(c, &s)
	defer func() {
		for _, o := range open {
			o.Close()
		}
	}()
	if err != nil {
		return err
	}
	pause(w.ctx, 2*time.Second)
	after, err := c.process.resident()
	*each = append(*each, float64(after-before)/1e3/manyConnections)
	return err
}

// crowd opens many connections, and has one request answered on each.
func (w *world) crowd(c *contender, s *shot) (open []*connection, err error) {
	const together = 16
	var mu sync.Mutex
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	for range together {
		workers.Go(func() {
			buf := make([]byte, 16<<10) // one for all connections of this worker
			for range manyConnections / together {
				o := &connection{addr: c.addr, buf: buf}
				// Not bound to ctx, which ends here: the connection is to stay.
				err := o.open(w.ctx)
				if err == nil {
					mu.Lock()
					open = append(open, o)
					mu.Unlock()
					err = o.exchange(s)
				}
				if err != nil {
					cancel(err)
				}
				if ctx.Err() != nil {
					return
				}
			}
		})
	}
	workers.Wait()
	return open, context.Cause(ctx)
}

// resident is how much memory a server and its children have now, in bytes.
func (p *process) resident() (int, error) {
	total := 0
	err := p.each(func(pid int) error {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
		kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		total += kb << 10
		return err
	})
	return total, err
}
