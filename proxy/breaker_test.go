package proxy

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lockedBuffer is a log that several write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// hanging is a server that answers in time, or not at all, as the test wants.
type hanging struct {
	hangs atomic.Bool
	asked atomic.Int64
	url   *url.URL
}

func newHanging(t *testing.T) *hanging {
	t.Helper()
	h, over := new(hanging), make(chan struct{})
	h.hangs.Store(true)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "claimproxy" { // which looks whether it answers
			h.asked.Add(1)
		}
		if h.hangs.Load() || r.URL.Path == "/slow" {
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(over) })
	var err error
	if h.url, err = url.Parse(srv.URL); err != nil {
		t.Fatal(err)
	}
	return h
}

// breaking is a proxy before such servers, whose clock the test moves.
func breaking(t *testing.T, log *slog.Logger, urls ...*url.URL) (h *house, advance func(time.Duration)) {
	t.Helper()
	route := Route{Path: "/", Allow: newRules(t).of("public"), Upstream: &Upstream{Name: "app", URLs: urls, Timeout: 50 * time.Millisecond}}
	h = build(t, []Route{route}, func(c *Config) { c.Connections = &Connections{Log: log} })
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool.now = func() time.Time { return time.Unix(0, now.Load()) }
	return h, func(d time.Duration) { now.Add(int64(d)) }
}

func TestAServerThatHangsHoldsNobodyUpForLong(t *testing.T) {
	app := newHanging(t)
	var lines lockedBuffer
	h, advance := breaking(t, slog.New(slog.NewTextHandler(&lines, nil)), app.url)
	status := func(want int) *rawAnswer {
		t.Helper()
		res := h.get(t, "/")
		if res.StatusCode != want {
			t.Errorf("got %d, want %d", res.StatusCode, want)
		}
		return res
	}
	for range tolerated {
		status(http.StatusGatewayTimeout)
	}
	if h.proxy.Servers()[0].Works {
		t.Error("the server counts as one that works")
	}
	// From now on it is not asked, and nobody waits.
	for range 20 {
		if res := status(http.StatusServiceUnavailable); res.Header.Get("Retry-After") == "" || !strings.Contains(res.body, "upstream-unavailable") {
			t.Errorf("got %v %s", res.Header, res.body)
		}
	}
	if got := app.asked.Load(); got != tolerated {
		t.Errorf("it was asked %d times, want %d", got, tolerated)
	}
	// After a while one request is let through, of however many.
	advance(rest)
	var all sync.WaitGroup
	var late, refused atomic.Int64
	for range 10 {
		all.Go(func() {
			switch h.get(t, "/").StatusCode {
			case http.StatusGatewayTimeout:
				late.Add(1)
			case http.StatusServiceUnavailable:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if late.Load() != 1 || refused.Load() != 9 {
		t.Errorf("of ten requests %d were let through and %d refused, want one and nine", late.Load(), refused.Load())
	}
	// It answers again: that is found out, and then it is there for all.
	app.hangs.Store(false)
	for deadline := time.Now().Add(10 * time.Second); h.get(t, "/").StatusCode != http.StatusOK; advance(lookPause) {
		if time.Now().After(deadline) {
			t.Fatal("it is held back for ever")
		}
	}
	for range 5 {
		status(http.StatusOK)
	}
	if !h.proxy.Servers()[0].Works {
		t.Error("the server does not count as one that works")
	}
	for _, want := range []string{"level=WARN", "does not answer in time", "level=INFO", "works again", "upstream=app"} {
		if strings.Count(lines.String(), want) == 0 {
			t.Errorf("the log lacks %q:\n%s", want, &lines)
		}
	}
	if n := strings.Count(lines.String(), "does not answer in time"); n != 1 {
		t.Errorf("it is told %d times", n)
	}
}

// TestOneSlowPageKeepsAServerFromNobody: somebody who asks for it again and again wins every
// request that is let through, and the others are let in all the same.
func TestOneSlowPageKeepsAServerFromNobody(t *testing.T) {
	app := newHanging(t)
	app.hangs.Store(false)
	h, advance := breaking(t, nil, app.url)
	for range 3 {
		for range tolerated + 2 {
			h.get(t, "/slow")
		}
		advance(lookPause)
		deadline := time.Now().Add(10 * time.Second)
		for h.get(t, "/").StatusCode != http.StatusOK {
			if time.Now().After(deadline) {
				t.Fatal("a server that answers is kept from everybody")
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// The twin: one that answers now and then is never held back, however slow some of it is.
func TestAServerThatAnswersInBetweenIsNotHeldBack(t *testing.T) {
	app := newHanging(t)
	h, _ := breaking(t, nil, app.url)
	for range 3 {
		for range tolerated - 1 {
			h.get(t, "/")
		}
		app.hangs.Store(false)
		if res := h.get(t, "/"); res.StatusCode != http.StatusOK {
			t.Fatalf("got %d", res.StatusCode)
		}
		app.hangs.Store(true)
	}
}

// The twin: one that is being started again refuses connections, and is back at once.
func TestAServerThatIsAwayIsAskedEveryTime(t *testing.T) {
	away := nowhere(t)
	h, _ := breaking(t, nil, away)
	for range 3 * tolerated {
		if res := h.get(t, "/"); res.StatusCode != http.StatusBadGateway {
			t.Fatalf("got %d, want 502: it is asked and refuses", res.StatusCode)
		}
	}
}

// Of several servers one hangs: after a few unlucky requests the others have all of them.
func TestOthersStandInForAServerThatHangs(t *testing.T) {
	app := newHanging(t)
	good, n := named(t, "good")
	h, advance := breaking(t, nil, app.url, good)
	unlucky := 0
	for range 30 {
		if h.get(t, "/").StatusCode != http.StatusOK {
			unlucky++
		}
	}
	if unlucky != tolerated || n.Load() != 30-tolerated {
		t.Errorf("%d of 30 were unlucky and %d answered, want %d and %d", unlucky, n.Load(), tolerated, 30-tolerated)
	}
	app.hangs.Store(false)
	advance(rest)
	before := app.asked.Load()
	for range 10 {
		if res := h.get(t, "/"); res.StatusCode != http.StatusOK {
			t.Errorf("got %d", res.StatusCode)
		}
	}
	if app.asked.Load() == before {
		t.Error("it is not asked again")
	}
}
