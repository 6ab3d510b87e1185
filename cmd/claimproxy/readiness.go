package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// readiness is which parts of the process can do their work. A part that was never
// mentioned is none; without any, nothing is ready.
type readiness struct {
	mu    sync.Mutex
	parts map[string]func(context.Context) standing
}

// standing is how it stands with a part. Why is what keeps it from its work, or is to be
// known about it although it does, in words for whoever is on call.
type standing struct {
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
}

// set tells how it stands with a part. An empty why is good news.
func (s *readiness) set(name, why string) {
	now := standing{Ready: why == "", Why: why}
	s.ask(name, func(context.Context) standing { return now })
}

// ask has a part asked how it is whenever somebody wants to know. nil is for a part that
// there is none of.
func (s *readiness) ask(name string, how func(context.Context) standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if how == nil {
		delete(s.parts, name)
		return
	}
	if s.parts == nil {
		s.parts = make(map[string]func(context.Context) standing)
	}
	s.parts[name] = how
}

// askTimeout bounds how long all parts together may think: whoever asks waits no longer
// than a few seconds either.
const askTimeout = 2 * time.Second

// standingOf is how it stands with what keeps the sessions, nil where nothing does. Where
// none can be kept, whoever is signed in is served all the same.
func standingOf(check func(context.Context) error) func(context.Context) standing {
	if check == nil {
		return nil
	}
	return func(ctx context.Context) standing {
		err := check(ctx)
		if err == nil {
			return standing{Ready: true}
		}
		return standing{Ready: errors.Is(err, session.ErrNotKept), Why: err.Error()}
	}
}

func (s *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	answer := struct {
		Ready bool                `json:"ready"`
		Parts map[string]standing `json:"parts"`
	}{Parts: map[string]standing{}}
	s.mu.Lock()
	parts := maps.Clone(s.parts)
	s.mu.Unlock()
	answer.Ready = len(parts) > 0
	for name, how := range parts {
		p := how(ctx)
		answer.Parts[name] = p
		answer.Ready = answer.Ready && p.Ready
	}
	body, err := json.Marshal(answer)
	if err != nil { // cannot be: these are strings and booleans
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n'))
}
