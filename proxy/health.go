package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// healthEvery is how often the servers of an upstream are asked how they are, and
	// healthTimeout how long they may take to say so.
	healthEvery   = 10 * time.Second
	healthTimeout = 5 * time.Second
	// illnesses is after how many bad answers in a row a server gets no requests; one good
	// answer suffices to get some again.
	illnesses = 2
	// maxHealth is what is read of an answer, so that its connection can be used again.
	maxHealth = 64 << 10
)

// ServerState is how it stands with a server of an upstream.
type ServerState struct {
	// Upstream is the upstream's name, and Server the server's address.
	Upstream, Server string
	// Works is false for one that could not be reached, or did not answer in time, several
	// times in a row, and for one that says itself that it is not well.
	Works bool
}

// Servers says how it stands with the servers of all upstreams.
func (p *Proxy) Servers() []ServerState {
	var all []ServerState
	for u, f := range p.upstreams {
		for _, s := range f.connection.servers {
			all = append(all, ServerState{u.Name, s.name, s.works()})
		}
	}
	return all
}

func (s *server) works() bool { return !s.sick.Load() && s.failures.Load() < tolerated }

// watchHealth asks the servers of all upstreams how they are until ctx ends.
func (p *Proxy) watchHealth(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	for u, f := range p.upstreams {
		if u.Health == "" {
			continue
		}
		for _, s := range f.connection.servers {
			work.Go(func() { f.connection.watch(ctx, u.Name, s, p.log) })
		}
	}
}

// watch asks one server from time to time.
func (p *pool) watch(ctx context.Context, upstream string, s *server, log *slog.Logger) {
	ticks := time.NewTicker(healthEvery)
	defer ticks.Stop()
	for {
		// Two configurations may share the server, of which one asks.
		now, before := p.now().UnixMilli(), s.asked.Load()
		if now-before >= (healthEvery/2).Milliseconds() && s.asked.CompareAndSwap(before, now) {
			p.ask(ctx, upstream, s, log)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// ask asks a server how it is and notes the answer.
func (p *pool) ask(ctx context.Context, upstream string, s *server, log *slog.Logger) {
	err := p.askOnce(ctx, s)
	if ctx.Err() != nil {
		return
	}
	about := []any{"upstream", upstream, "server", s.name}
	switch {
	case err == nil:
		s.ill.Store(0)
		s.rests.Store(0)
		s.failures.Store(0)
		s.late.Store(0)
		if s.sick.Swap(false) {
			log.Info("a server of an upstream works again", about...)
		}
	case s.ill.Add(1) >= illnesses && !s.sick.Swap(true):
		log.Warn("a server of an upstream does not work and gets no requests", append(about, "error", unquoted(err.Error()))...)
	}
}

func (p *pool) askOnce(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String()+p.health, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "claimproxy")
	res, err := s.send(nil, req, false)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxHealth)
	if res.StatusCode < 200 || res.StatusCode >= 400 {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
