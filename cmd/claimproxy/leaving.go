package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// leaving is the handler of all public listeners. Once the process has been told to end,
// each answer says that its connection is not to be used again (in HTTP/2 net/http makes a
// GOAWAY of that), so that nobody sends a request on one that is about to be closed.
type leaving struct {
	next    http.Handler
	leaving atomic.Bool
	// open are the connections of clients that net/http has.
	open atomic.Int64
}

func (l *leaving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// What becomes a websocket ends by a close frame of its own.
	if l.leaving.Load() && len(r.Header["Upgrade"]) == 0 {
		w.Header()["Connection"] = []string{"close"}
	}
	l.next.ServeHTTP(w, r)
}

// connState is http.Server's.
func (l *leaving) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.open.Add(-1)
	}
}

// lastRequests is how long the last connections that were taken have for their request.
// After that net/http too takes a connection for one that nobody uses.
const lastRequests = 5 * time.Second

// drain closes the listeners and ends when all requests have, or with ctx. It is more than
// http.Server's Shutdown, which closes connections whose first request it reads when it
// has begun, without an answer.
func (l *leaving) drain(ctx context.Context, server *http.Server, listeners []net.Listener) error {
	closeAll(listeners)
	server.SetKeepAlivesEnabled(false)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	enough := time.After(lastRequests)
	for waiting := true; waiting && l.open.Load() > 0; {
		select {
		case <-look.C:
		case <-enough:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	// It may not have noticed yet that the listeners are closed, and closes them again.
	if err := server.Shutdown(ctx); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
