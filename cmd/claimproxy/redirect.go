package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// redirect answers plain HTTP: whoever asks for a host of ours is led to the same place
// over https, an authority is shown whose a host is (RFC 8555 section 8.3), and nothing
// else is done. Where it leads is a host that the configuration names, never one that the
// request does.
type redirect struct {
	origin func(host string) string
	shown  *shown
}

// redirectHTTP serves the listeners for plain HTTP until stop is called. What goes wrong
// is told to failed.
func (p *process) redirectHTTP(c *config.Limits, failed chan<- error) (stop func()) {
	server := &http.Server{
		Handler:           &redirect{origin: p.current.origin, shown: p.shown},
		ConnState:         guardState,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    int(c.HeaderBytes), // with which the same request would be taken over https
		ErrorLog:          proxy.ErrorLog(p.watch.log),
		// "OPTIONS *" is for no host of ours either.
		DisableGeneralOptionsHandler: true,
	}
	server.SetKeepAlivesEnabled(false)
	for _, l := range p.redirecting {
		go func() { failed <- server.Serve(p.watch.accepting(l)) }()
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	}
}

const proofPath = "/.well-known/acme-challenge/"

func (d *redirect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Request-Id", rand.Text())
	host := hostName(r.Host)
	to := d.origin(host)
	if to == "" {
		http.Error(w, "There is no such host here.", http.StatusMisdirectedRequest)
		return
	}
	if token, ok := strings.CutPrefix(r.URL.Path, proofPath); ok && d.shown != nil && d.shown.ordered != nil {
		text, err := d.shown.ordered.Proof(r.Context(), host, token)
		switch {
		case err != nil:
			http.Error(w, "This cannot be looked up right now.", http.StatusServiceUnavailable)
		case text == "":
			http.Error(w, "Nobody is to show whose this host is.", http.StatusNotFound)
		default:
			h.Set("Content-Type", "application/octet-stream")
			_, _ = w.Write([]byte(text))
		}
		return
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") { // "OPTIONS *", or a place without a path
		path = "/"
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		path += "?" + r.URL.RawQuery
	}
	h.Set("Location", to+path)
	// 308 keeps the method and the body; programs of before 2015 know 301 alone, which is as
	// good where there is none (RFC 9110 section 15.4).
	status := http.StatusPermanentRedirect
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	w.WriteHeader(status)
}

// hostName is the name in a Host field, in lower case and without a port.
func hostName(field string) string {
	if host, _, err := net.SplitHostPort(field); err == nil {
		field = host
	}
	if inner, ok := strings.CutPrefix(field, "["); ok && strings.HasSuffix(inner, "]") {
		field = strings.TrimSuffix(inner, "]")
	}
	return strings.ToLower(strings.TrimSuffix(field, "."))
}

// origin is where a host is to be found over https, empty for one that is not ours.
func (c *current) origin(host string) (origin string) {
	c.look(func(s *service) { origin = s.origin(host) })
	if !strings.HasPrefix(origin, "https:") {
		return ""
	}
	return origin
}
