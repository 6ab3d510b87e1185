package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"
)

// readiness is which parts of the process can do their work. A part that was never
// mentioned is none; without any, nothing is ready.
type readiness struct {
	mu    sync.Mutex
	parts map[string]func() standing
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
	s.ask(name, func() standing { return now })
}

// ask has a part asked how it is whenever somebody wants to know, by a function that
// returns at once.
func (s *readiness) ask(name string, how func() standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts == nil {
		s.parts = make(map[string]func() standing)
	}
	s.parts[name] = how
}

func (s *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready bool                `json:"ready"`
		Parts map[string]standing `json:"parts"`
	}{Parts: map[string]standing{}}
	s.mu.Lock()
	parts := maps.Clone(s.parts)
	s.mu.Unlock()
	answer.Ready = len(parts) > 0
	for name, how := range parts {
		p := how()
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
