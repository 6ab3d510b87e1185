//go:build linux

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// soakServer is a server of an upstream, which can die and come back at its address.
type soakServer struct {
	// name is what its answers say, and the first segment of the paths it is asked for,
	// but for a digit at its end.
	name, addr string

	mu     sync.Mutex
	server *http.Server
	// away are the times when it was not there, or dying. The last may be open. going are
	// those of them when it was dying: what had a connection and was not heard yet is lost.
	away, going []interval
	// got is how often each request that may be carried out once came.
	got map[string]int
}

// interval is a stretch of time; a zero to is open.
type interval struct{ from, to time.Time }

func (i interval) overlaps(from, to time.Time) bool {
	return !i.from.After(to) && (i.to.IsZero() || !i.to.Before(from))
}

func newSoakServer(t testing.TB, name string) *soakServer {
	t.Helper()
	u := &soakServer{name: name, addr: loopback(freePort(t)), got: make(map[string]int)}
	if err := u.up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.down(false) })
	return u
}

// up has it listen. It waits for the address, which may still be in use for a moment.
func (u *soakServer) up() error {
	l, err := net.Listen("tcp", u.addr)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.server = &http.Server{Handler: u}
	go u.server.Serve(l)
	if n := len(u.away); n > 0 {
		u.away[n-1].to = time.Now()
	}
	return nil
}

// down has it end: gently, as in an update that waits for what is under way, or at once.
func (u *soakServer) down(gently bool) {
	u.mu.Lock()
	server := u.server
	u.away = append(u.away, interval{from: time.Now()})
	u.going = append(u.going, interval{from: time.Now()})
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.going[len(u.going)-1].to = time.Now()
		u.mu.Unlock()
	}()
	if gently {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}
	server.Close()
}

// wasAway says whether it was not there, or dying, at some time, and wasGoing whether it was
// dying.
func (u *soakServer) wasAway(from, to time.Time) bool  { return u.any(&u.away, from, to) }
func (u *soakServer) wasGoing(from, to time.Time) bool { return u.any(&u.going, from, to) }

func (u *soakServer) any(of *[]interval, from, to time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(*of, func(i interval) bool { return i.overlaps(from, to) })
}

// soakAnswer is what pages and uploads are answered with.
type soakAnswer struct {
	Server string `json:"server"`
	User   string `json:"user"`
	Nonce  string `json:"nonce"`
	Size   int64  `json:"size"`
	Sum    string `json:"sum"`
}

func (u *soakServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := r.URL.Query().Get("n")
	who := r.Header.Get("X-Forwarded-User")
	w.Header().Set("X-Server", u.name)
	w.Header().Set("X-User", who)
	switch what := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; what {
	case "page":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(soakAnswer{Server: u.name, User: who, Nonce: nonce})
	case "upload":
		u.mu.Lock()
		u.got[nonce]++
		u.mu.Unlock()
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			return
		}
		_ = json.NewEncoder(w).Encode(soakAnswer{Server: u.name, User: who, Nonce: nonce, Size: n, Sum: hex.EncodeToString(sum.Sum(nil))})
	case "download":
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		if size%2 == 0 { // the others are chunked
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		_, _ = io.CopyN(w, &pattern{text: nonce + " "}, int64(size))
	case "events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range soakEvents {
			fmt.Fprintf(w, "data: %s %s %s %d\n\n", u.name, who, nonce, i)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	case "socket":
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, fmt.Appendf(nil, "%s %s %s", u.name, who, message)) != nil {
				return
			}
		}
	default:
		http.NotFound(w, r)
	}
}

// soakEvents is how many events a stream has.
const soakEvents = 20

// pattern is a text, again and again.
type pattern struct {
	text string
	at   int
}

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.text[p.at]
		p.at = (p.at + 1) % len(p.text)
	}
	return len(b), nil
}
