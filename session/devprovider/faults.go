package devprovider

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Override lets a handler answer an endpoint's requests in its place; nil brings
// the endpoint back. The form has been parsed when the handler runs.
func (p *Provider) Override(name Endpoint, handler http.HandlerFunc) {
	p.URL(name) // panics when there is no such endpoint
	p.mu.Lock()
	defer p.mu.Unlock()
	p.override[name] = handler
}

// Real returns the endpoint's own handler, for an override that answers some
// requests itself and leaves others.
func (p *Provider) Real(name Endpoint) http.HandlerFunc {
	for _, e := range p.routes {
		if e.name == name {
			return e.answer
		}
	}
	panic("devprovider: no endpoint " + strconv.Quote(string(name)))
}

// Fail makes endpoints answer with that status and a short page, as a broken web
// server would.
func (p *Provider) Fail(status int, names ...Endpoint) {
	for _, name := range names {
		p.Override(name, Answer(status, "text/html", "<html><body>"+http.StatusText(status)+"</body></html>"))
	}
}

// Restore ends all overrides and rewrites.
func (p *Provider) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.override)
	clear(p.rewrite)
}

// Hold is an endpoint that hangs.
type Hold struct {
	arrived  chan struct{}
	released chan struct{}
	once     sync.Once
}

// Hang makes the endpoint's requests wait until Release is called, or the client
// goes away; what was released is then answered in the ordinary way.
func (p *Provider) Hang(name Endpoint) *Hold {
	h := &Hold{arrived: make(chan struct{}, 1000), released: make(chan struct{})}
	serve := p.Real(name)
	p.Override(name, func(w http.ResponseWriter, r *http.Request) {
		select {
		case h.arrived <- struct{}{}:
		default:
		}
		select {
		case <-h.released:
			serve(w, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // an empty 200 would be an answer
		}
	})
	return h
}

// Arrived gets a value for each request that has begun to wait.
func (h *Hold) Arrived() <-chan struct{} { return h.arrived }

// Release lets the waiting requests go, and all later ones pass. It may be called
// again.
func (h *Hold) Release() { h.once.Do(func() { close(h.released) }) }

// Answer returns a handler that always gives the same answer.
func Answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Drop is a handler that closes the connection without an answer.
func Drop(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }

// Redirect returns a handler that leads elsewhere, which a back channel must not
// follow.
func Redirect(target string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
	}
}

// Oversized returns a handler that answers with a JSON object of about that many
// bytes, in one long string.
func Oversized(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		_, err := io.WriteString(w, `{"padding":"`)
		for left := size; left > 0 && err == nil; left -= len(chunk) {
			_, err = w.Write(chunk[:min(left, len(chunk))])
		}
		if err == nil {
			_, _ = io.WriteString(w, `"}`)
		}
	}
}
