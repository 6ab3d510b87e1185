package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session"
)

// bounded has a proxy of these limits, which believes its peers about clients.
func bounded(l limit.Limits) func(*Config) {
	return func(c *Config) {
		c.Limiter = new(limit.Limiter)
		c.Limiter.Set(l)
		c.Trusted.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.ForwardAuth = ForwardAuthXForwarded
		c.SignIn = func(path string) limit.Step {
			switch path {
			case "/.auth/start/invent":
				return limit.Start
			case "/.auth/callback/invent":
				return limit.Return
			}
			return limit.NoStep
		}
	}
}

// wantTooMany checks a refusal for programs, and its event.
func (h *house) wantTooMany(t *testing.T, what string, res *rawAnswer, status int) {
	t.Helper()
	event := h.events.next(t)
	if res.StatusCode != status || res.Header.Get("Retry-After") == "" || !strings.Contains(res.body, `"code":"too-many-requests"`) ||
		res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: got %d %v %s", what, res.StatusCode, res.Header, res.body)
	}
	if event.Reason != ReasonTooManyRequests || event.Status != status || event.Decision != "deny" {
		t.Errorf("%s: event %+v", what, event)
	}
}

// TestTenThousandHeaderFields: of many small fields each costs more than its bytes, and
// whatever looks at a header looks at all of them.
func TestTenThousandHeaderFields(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{{Path: "/", Allow: r.of("public"), Upstream: u.upstream()}}, bounded(limit.Limits{HeaderFields: 500}))
	different := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-%d: a\r\n", i)
		}
		return b.String()
	}
	for name, test := range map[string]struct {
		fields string
		status int
	}{
		"10001 different ones":   {different(10_001), 431},
		"10001 of one name":      {strings.Repeat("X: a\r\n", 10_001), 431},
		"501":                    {different(501), 431},
		"500":                    {different(500), 200},
		"as many as people have": {different(40), 200},
	} {
		res := h.raw(t, "GET / HTTP/1.1\r\nHost: "+publicHost+"\r\n"+test.fields+"\r\n")
		event := h.events.next(t)
		if res.StatusCode != test.status || event.Status != test.status {
			t.Errorf("%s: got %d, event %+v; want %d", name, res.StatusCode, event, test.status)
		}
		if test.status == 431 {
			u.none(t)
			if !strings.Contains(res.body, `"code":"too-large"`) || event.Reason != ReasonTooLarge || event.Decision != "deny" {
				t.Errorf("%s: got %s, event %+v", name, res.body, event)
			}
			continue
		}
		u.one(t)
	}
	// Nor is the body of such a request waited for.
	res := h.raw(t, "POST / HTTP/1.1\r\nHost: "+publicHost+"\r\nContent-Length: 1000000\r\n"+different(501)+"\r\n")
	if res.StatusCode != 431 || !res.Close {
		t.Errorf("with a body: got %d, close %v", res.StatusCode, res.Close)
	}
	h.events.next(t)
}

// TestOneAddressKeepsNobodyOut: where one has its part of what there is room for it gets 429,
// and others go on.
func TestOneAddressKeepsNobodyOut(t *testing.T) {
	h := application(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), bounded(limit.Limits{Requests: 200}))
	l, from := h.config.Limiter, "X-Forwarded-For: 203.0.113.7"
	for range 100 {
		l.Begin()
	}
	for range 10 { // what is shared is let go of
		if res := h.get(t, "/", from); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
		h.events.next(t)
	}
	here := netip.MustParseAddr("203.0.113.7")
	for range 50 {
		if !l.Share(here) {
			t.Fatal("something of its part is not given back")
		}
	}
	h.wantTooMany(t, "/", h.get(t, "/", from), http.StatusTooManyRequests)
	if res := h.get(t, "/", "X-Forwarded-For: 203.0.113.8"); res.StatusCode != 200 {
		t.Errorf("somebody else: got %d", res.StatusCode)
	}
	h.events.next(t)
	l.Unshare(here)
	if res := h.get(t, "/", from); res.StatusCode != 200 {
		t.Errorf("with room in its part: got %d", res.StatusCode)
	}
	h.events.next(t)
}

// TestInFlightFlood: there is room for so many requests, streams among them, and for no
// more, whatever they ask for; and again as soon as they have ended.
func TestInFlightFlood(t *testing.T) {
	hold := make(chan struct{})
	arrived := make(chan struct{}, 10)
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived <- struct{}{}
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}), bounded(limit.Limits{Requests: 3}))
	answers := make(chan int, 3)
	client := h.client(t)
	for range 3 {
		go func() {
			res, err := client.Get(base + "/wait")
			if err != nil {
				answers <- 0
				return
			}
			res.Body.Close()
			answers <- res.StatusCode
		}()
		<-arrived
	}
	for _, target := range []string{"/", "/private/", "/.auth/me", "/.auth/start/invent", "/%2e%2e/"} {
		h.wantTooMany(t, target, h.get(t, target, "X-Forwarded-For: 203.0.113.7"), http.StatusServiceUnavailable)
	}
	page := h.get(t, "/", "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	if page.StatusCode != 503 || !strings.Contains(page.body, "Too many requests are under way") {
		t.Errorf("for people: got %d\n%s", page.StatusCode, page.body)
	}
	h.events.next(t)
	close(hold)
	for range 3 {
		if status := <-answers; status != 200 {
			t.Errorf("one that was let in: got %d", status)
		}
		h.events.next(t)
	}
	if res := h.get(t, "/"); res.StatusCode != 200 {
		t.Errorf("afterwards: got %d", res.StatusCode)
	}
	h.events.next(t)
	if n := h.config.Limiter.UnderWay(); n != 0 {
		t.Errorf("%d requests are under way for ever", n)
	}
}

// TestSignInFlood: an address begins so many sign-ins within a minute, and no more. Who it
// is, is said by trusted proxies alone.
func TestSignInFlood(t *testing.T) {
	h := application(t, http.NotFoundHandler(), bounded(limit.Limits{SignIns: 3}))
	start := func(client string, lines ...string) *rawAnswer {
		return h.get(t, "/.auth/start/invent", append(lines, "X-Forwarded-For: 198.51.100.1, "+client)...)
	}
	const attacker = "203.0.113.7"
	for range 3 {
		if res := start(attacker); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
		h.events.next(t)
	}
	res := start(attacker)
	h.wantTooMany(t, "the fourth", res, http.StatusTooManyRequests)
	if wait := res.Header.Get("Retry-After"); wait != "20" && wait != "19" {
		t.Errorf("Retry-After: %s, want what a third of a minute is", wait)
	}
	if res := start(attacker, "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"); res.StatusCode != 429 ||
		!strings.Contains(res.body, "Too many sign-ins have begun at your address") || !strings.Contains(res.body, "Try again") {
		t.Errorf("for people: got %d\n%s", res.StatusCode, res.body)
	}
	h.events.next(t)
	for what, target := range map[string]string{"coming back": "/.auth/callback/invent", "another page": "/.auth/me", "the style": "/.auth/style.css", "the application": "/public"} {
		if res := h.get(t, target, "X-Forwarded-For: "+attacker); res.StatusCode == 429 {
			t.Errorf("%s: is bounded as well", what)
		}
		h.events.next(t)
	}
	for _, other := range []string{"203.0.113.8", "2001:db8::7"} {
		if res := start(other); res.StatusCode != 200 {
			t.Errorf("%s: got %d", other, res.StatusCode)
		}
		h.events.next(t)
	}
	// The entry that an attacker adds in front of their own is nobody's.
	h.wantTooMany(t, "with an invention", h.get(t, "/.auth/start/invent", "X-Forwarded-For: 192.0.2.99, "+attacker), http.StatusTooManyRequests)
}

// TestTokenGuessingFloodIsAnswered where tokens are not looked up any more: with 429, and
// with 503 to a proxy that asks, which knows no 429. It is no statement about the token.
func TestTokenGuessingFloodIsAnswered(t *testing.T) {
	var client string
	h := application(t, http.NotFoundHandler(), func(c *Config) {
		bounded(limit.Limits{})(c)
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			client = p.Client
			return nil, &session.Unavailable{Reason: session.ReasonTooManyRequests, Sentence: "Too many tokens.", RetryAfter: 3 * time.Second}
		}}
	})
	lines := []string{"Authorization: Bearer guess", "X-Forwarded-For: 203.0.113.7"}
	res := h.get(t, "/private/", lines...)
	h.wantTooMany(t, "directly", res, http.StatusTooManyRequests)
	if res.Header.Get("Retry-After") != "3" || res.Header.Get("WWW-Authenticate") != "" || client != "203.0.113.7" {
		t.Errorf("got %v, for the client %q", res.Header, client)
	}
	res = h.get(t, "/.auth/check", append(lines, "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: "+publicHost, "X-Forwarded-Uri: /private/")...)
	h.wantTooMany(t, "asked by a proxy", res, http.StatusServiceUnavailable)
	if res.Header.Get("X-Claimproxy-Reason") != "too-many-requests" || client != "203.0.113.7" {
		t.Errorf("got %v, for the client %q", res.Header, client)
	}
}

// TestABodyThatDripsDoesNotHoldAnUpstream: a byte now and then is no progress, while a body
// that is slow and moves may take as long as it needs.
func TestABodyThatDripsDoesNotHoldAnUpstream(t *testing.T) {
	const timeout = 400 * time.Millisecond
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}), bounded(limit.Limits{BodyTimeout: timeout, BodyRate: 100}))
	for name, test := range map[string]struct {
		piece  string
		pieces int
		status int
	}{
		"a byte now and then": {"x", 40, http.StatusRequestTimeout},
		"slow and moving":     {strings.Repeat("x", 40), 20, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			began := time.Now()
			go func() {
				fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", publicHost, test.pieces*len(test.piece))
				for range test.pieces {
					time.Sleep(100 * time.Millisecond)
					if _, err := io.WriteString(c, test.piece); err != nil {
						return
					}
				}
			}()
			answer, _ := io.ReadAll(c)
			if want := fmt.Sprintf("HTTP/1.1 %d ", test.status); !strings.HasPrefix(string(answer), want) {
				t.Errorf("got %q, want %s", answer, want)
			}
			event := h.events.next(t)
			if event.Status != test.status || (event.Reason == ReasonTooSlow) != (test.status == http.StatusRequestTimeout) {
				t.Errorf("event %+v", event)
			}
			if took := time.Since(began); test.status == http.StatusRequestTimeout && took > 3*time.Second {
				t.Errorf("it held the upstream for %v", took)
			}
		})
	}
}

// TestPatience is the sum behind it.
func TestPatience(t *testing.T) {
	const whole = 2 * time.Minute
	for name, test := range map[string]struct {
		rate   int64
		n      int
		waited time.Duration
		times  int
		left   time.Duration // afterwards; zero ends the body
	}{
		"a byte a minute":          {128, 1, time.Minute, 2, 2 * time.Second / 128},
		"a byte a minute, for 3":   {128, 1, time.Minute, 3, 0},
		"a modem":                  {128, 1200, time.Second, 1000, whole},
		"just the rate":            {128, 128, time.Second, 1000, whole},
		"half of it":               {128, 64, time.Second, 100, whole - 50*time.Second},
		"half of it for long":      {128, 64, time.Second, 300, 0},
		"a gigabyte buys no years": {128, 1 << 30, time.Second, 3, whole},
		"no rate":                  {0, 1, time.Minute, 100, whole},
	} {
		p := newPatience(&limit.Limits{BodyTimeout: whole, BodyRate: test.rate})
		for range test.times {
			p.came(test.n, test.waited)
		}
		if p.left != test.left {
			t.Errorf("%s: %v are left, want %v", name, p.left, test.left)
		}
	}
	p := newPatience(&limit.Limits{BodyRate: 128})
	p.came(1<<40, time.Second)
	p.came(1, bodyTimeout)
	if p.left != time.Second/128 {
		t.Errorf("after a terabyte and a silence: %v are left", p.left)
	}
}

// BenchmarkWithinLimits is what limits cost a request that meets none.
func BenchmarkWithinLimits(b *testing.B) {
	h := make(http.Header)
	for i := range 15 {
		h[fmt.Sprintf("Field-%d", i)] = []string{"x"}
	}
	p := &Proxy{limiter: new(limit.Limiter)}
	p.limiter.Set(limit.Limits{Requests: 10_000, HeaderFields: 500})
	x := &exchange{request: &http.Request{Header: h}}
	b.ReportAllocs()
	for b.Loop() {
		if !p.withinLimits(x) {
			b.Fatal("it is refused")
		}
		p.limiter.End()
	}
}
