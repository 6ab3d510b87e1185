package main

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// generation is a configuration at work. Another one may take over from it while
// requests are under way; it ends when the last of them has.
type generation struct {
	config  *config.Config
	service *service

	// users are the requests that are under way, and one more as long as it is the
	// current generation. From zero it never rises.
	users atomic.Int64
	ended chan struct{}
	end   func() // ends the service, once
}

func newGeneration(c *config.Config, s *service) *generation {
	g := &generation{config: c, service: s, ended: make(chan struct{})}
	g.users.Store(1)
	g.end = sync.OnceFunc(func() {
		s.close()
		close(g.ended)
	})
	return g
}

// enter begins a request, unless the generation has ended.
func (g *generation) enter() bool {
	for {
		n := g.users.Load()
		if n == 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave ends a request, or what retire stands for.
func (g *generation) leave() {
	if g.users.Add(-1) == 0 {
		go g.end() // which may wait for a disk, and is not the last request's business
	}
}

// retire says that another generation has taken over.
func (g *generation) retire() { g.leave() }

// current is the generation that answers requests, and those before it that have not
// ended. It is the handler of all public listeners.
type current struct {
	now atomic.Pointer[generation]

	mu  sync.Mutex
	all map[*generation]bool
}

func (c *current) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := c.now.Load()
	for !g.enter() { // it was retired a moment ago, and another one is there
		g = c.now.Load()
	}
	defer g.leave()
	g.service.proxy.ServeHTTP(w, r)
}

// become has a generation answer requests from now on.
func (c *current) become(g *generation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[*generation]bool)
	}
	c.all[g] = true
	if g.service.adopt != nil {
		g.service.adopt()
	}
	old := c.now.Swap(g)
	for before := range c.all {
		if before != g {
			before.service.proxy.Succeed(g.service.proxy)
		}
	}
	if old == nil {
		return
	}
	go func() {
		<-old.ended
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.all, old)
	}()
	old.retire()
}

// look calls do with the service that answers requests, which does not end meanwhile. It
// does nothing as long as there is none.
func (c *current) look(do func(*service)) {
	g := c.now.Load()
	if g == nil {
		return
	}
	for !g.enter() {
		g = c.now.Load()
	}
	defer g.leave()
	do(g.service)
}

// alive returns when what answers requests can be had, and what it shares with others is
// not held by somebody who does not let go.
func (c *current) alive() {
	c.look(func(s *service) { s.proxy.Servers() })
	c.mu.Lock()
	defer c.mu.Unlock()
}

// servers says how it stands with the servers of upstreams.
func (c *current) servers() (all []proxy.ServerState) {
	c.look(func(s *service) { all = s.proxy.Servers() })
	return all
}

// live is how many sessions are answered from memory, and whether that is known.
func (c *current) live() (n int, ok bool) {
	c.look(func(s *service) {
		if s.live != nil {
			n, ok = s.live(), true
		}
	})
	return n, ok
}

// kept is how many sessions there are, and whether that is known.
func (c *current) kept() (n int, ok bool) {
	c.look(func(s *service) {
		if s.kept != nil {
			n, ok = s.kept()
		}
	})
	return n, ok
}

// close ends all generations. No request is under way that should be answered.
func (c *current) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range c.all {
		g.end()
	}
}
