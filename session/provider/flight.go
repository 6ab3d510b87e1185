package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// flight lets one caller's work be waited for by many. Unlike a
// singleflight.Group it has no key, and a waiter whose request ends leaves without
// taking the work along.
type flight struct {
	mu      sync.Mutex
	current *run
}

// run is one run of the work. err is set when done is closed.
type run struct {
	done chan struct{}
	err  error
}

// join returns the run that is under way, or nil.
func (f *flight) join() *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// start returns the run that is under way, or begins one. The work does not end
// with the request that happened to begin it, but after callTimeout, or when the
// provider is closed.
func (f *flight) start(ctx context.Context, p *Provider, work func(context.Context) error) *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		return f.current
	}
	r := &run{done: make(chan struct{})}
	f.current = r
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		defer context.AfterFunc(p.life, cancel)()
		defer func() {
			// No request's goroutine: nobody else would keep a panic over a strange
			// document from ending the process.
			if v := recover(); v != nil {
				p.Log.Error("panic while speaking with the provider", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				r.err = fmt.Errorf("panic: %v", v)
			}
			f.mu.Lock()
			f.current = nil
			f.mu.Unlock()
			close(r.done)
		}()
		r.err = work(ctx)
	}()
	return r
}

// wait returns the run's error, or the context's when that ends first.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
