package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// admin is what those who run claimproxy ask: is it there, does it serve, what has it
// counted; and where they end people's sessions. Whoever reaches it is trusted. It has a listener of its own and answers nothing else; no handler of it is
// reachable from a public listener. It is closed last, so that it can be asked what is
// the matter while everything else comes to its end.
type admin struct {
	listener net.Listener
	server   *http.Server
	metrics  http.Handler
	ready    readiness
	// desk is that of the configuration that serves.
	desk        atomic.Pointer[desk]
	remote      bool // other machines may ask
	pprof       bool
	crossOrigin *http.CrossOriginProtection
}

// listenAdmin opens the address of the admin listener. It answers nothing yet.
func listenAdmin(c *config.Admin, metrics http.Handler, log *slog.Logger) (*admin, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", listenError(c.Listen, err))
	}
	a := &admin{listener: l, metrics: metrics, remote: c.AllowRemote, pprof: c.Pprof, crossOrigin: http.NewCrossOriginProtection()}
	a.server = &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          proxy.ErrorLog(log),
	}
	return a, nil
}

// serve answers until close. It returns nil then, and else what went wrong.
func (a *admin) serve() error {
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// close lets answers that are under way end, for a moment.
func (a *admin) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		a.server.Close()
	}
	a.listener.Close() // which the server does not know if it never served
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if a.pprof && (r.URL.Path == pprofPath || strings.HasPrefix(r.URL.Path, pprofPath+"/")) {
		a.serveProfile(w, r)
		return
	}
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics", "/sessions":
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "This can only be read.", http.StatusMethodNotAllowed)
			return
		}
	case "/sessions/end":
		if r.Method != http.MethodPost {
			h.Set("Allow", "POST")
			http.Error(w, "This takes POST.", http.StatusMethodNotAllowed)
			return
		}
	default:
		http.Error(w, "There are /healthz, /readyz, /metrics, /sessions and /sessions/end here.", http.StatusNotFound)
		return
	}
	switch r.URL.Path {
	case "/sessions", "/sessions/end":
		// Not for pages that the browser of whoever runs claimproxy happens to show.
		if a.crossOrigin.Check(r) != nil || !a.remote && !ownHost(r.Host) {
			writeDeskError(w, &deskError{http.StatusForbidden, "This is not for pages of other sites."})
			return
		}
		if r.Method == http.MethodPost {
			a.desk.Load().end(w, r)
		} else {
			a.desk.Load().list(w, r)
		}
	case "/metrics":
		a.metrics.ServeHTTP(w, r)
	case "/readyz":
		a.ready.ServeHTTP(w, r)
	default: // whoever gets this knows that the process runs
		h.Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	}
}
