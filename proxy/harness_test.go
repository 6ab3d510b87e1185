package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// fakeSessions and fakeTokens are what the proxy asks, as functions.
type fakeSessions struct {
	identify func(*http.Request) (*session.Identity, error)
}

func (f fakeSessions) Identify(r *http.Request) (*session.Identity, error) { return f.identify(r) }

type fakeTokens struct {
	verify func(context.Context, session.Presented) (*session.Identity, error)
}

func (f fakeTokens) Verify(ctx context.Context, p session.Presented) (*session.Identity, error) {
	return f.verify(ctx, p)
}

// person makes an identity; its user name is the subject too.
func person(auth session.Auth, user string, claims session.Claims) *session.Identity {
	id := &session.Identity{
		Provider: "invent", Issuer: "https://invent.example.org", Subject: user, ClientID: "desktop",
		Auth: auth, User: user, Claims: session.Claims{"sub": user, "preferred_username": user}, Origins: map[string]session.Source{},
	}
	maps.Copy(id.Claims, claims)
	id.SetVirtual()
	return id
}

func developer(auth session.Auth, claims session.Claims) *session.Identity {
	all := session.Claims{"groups": []any{"teams/kde-developers"}, "email": "jane@example.org"}
	maps.Copy(all, claims)
	return person(auth, "jane", all)
}

// rules compiles clauses against a small set of policies.
type rules struct {
	t   testing.TB
	set *policy.Set
}

func newRules(t testing.TB) rules {
	t.Helper()
	set, errs := policy.Compile([]policy.Definition{
		{Name: "developers", Title: "KDE developers", Help: "https://community.example.org/ask", Require: policy.Clause{Text: "groups contains teams/kde-developers"}},
		{Name: "admins", Require: policy.Clause{Text: "groups contains teams/sysadmins"}},
		{Name: "scoped", Require: policy.Clause{Text: "scope contains telemetry:write"}},
		{Name: "inventors", Require: policy.Clause{Text: "groups contains a"}, Providers: []string{"invent"}},
		{Name: "strangers", Require: policy.Clause{Text: "groups contains a"}, Providers: []string{"other"}},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return rules{t, set}
}

func (r rules) of(text string) *policy.Rule {
	r.t.Helper()
	return r.clause(policy.Clause{Text: text})
}

func (r rules) clause(c policy.Clause) *policy.Rule {
	r.t.Helper()
	rule, errs := r.set.Rule(c)
	if len(errs) > 0 {
		r.t.Fatal(errs)
	}
	return rule
}

const (
	publicHost = "app.example.org"
	cookieName = "__Host-claimproxy"
)

// house is a whole proxy on loopback, with everything around it faked.
type house struct {
	config Config
	events *events
	proxy  *Proxy
	server *httptest.Server
	addr   string
}

type events struct {
	mu   sync.Mutex
	list []Event
	all  chan Event
}

func (e *events) observe(event Event) {
	e.mu.Lock()
	e.list = append(e.list, event)
	e.mu.Unlock()
	e.all <- event
}

func (e *events) next(t testing.TB) Event {
	t.Helper()
	select {
	case event := <-e.all:
		return event
	case <-time.After(5 * time.Second):
		t.Fatal("no event within 5 s")
		return Event{}
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// cookies reads the fake session cookie: its value says who it is.
func cookies(r *http.Request) (*session.Identity, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil, session.ErrNoCredentials
	}
	switch c.Value {
	case "jane":
		return developer(session.AuthBrowser, nil), nil
	case "joe":
		return person(session.AuthBrowser, "joe", session.Claims{"groups": []any{"teams/kde-developers-emeritus"}}), nil
	case "expired":
		return nil, session.Reject(session.ReasonSessionExpired, "Your session has expired.", nil)
	case "down":
		return nil, &session.Unavailable{Reason: session.ReasonStoreUnavailable, Sentence: "The store is away.", RetryAfter: 7500 * time.Millisecond}
	case "broken":
		return nil, io.ErrUnexpectedEOF
	}
	return nil, session.ErrNoCredentials
}

// tokens reads the fake bearer token: it says who it is.
func tokens(_ context.Context, p session.Presented) (*session.Identity, error) {
	switch p.Token {
	case "jane":
		return developer(session.AuthBearer, session.Claims{"scope": "openid telemetry:read"}), nil
	case "joe":
		return person(session.AuthBearer, "joe", nil), nil
	case "nameless": // a person's token without the scope openid
		return person(session.AuthBearer, "", session.Claims{}), nil
	case "robot":
		return person(session.AuthClient, "", session.Claims{"groups": []any{"teams/kde-developers"}, "preferred_username": "service-account-robot", "email": "robot@example.org"}), nil
	case "down":
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Sentence: "The provider is away."}
	case "unsaid":
		return nil, session.ErrNoCredentials
	case "expired":
		return nil, session.Reject(session.ReasonTokenExpired, "The token \"has\" expired.", nil)
	}
	return nil, session.Reject(session.ReasonTokenInvalid, "The token is not known.", nil)
}

// build starts a proxy with these routes. Routes without hosts are on publicHost;
// without headers they get the default preset.
func build(t testing.TB, routes []Route, change func(*Config)) *house {
	t.Helper()
	for i := range routes {
		r := &routes[i]
		if r.Hosts == nil {
			r.Hosts = []string{publicHost}
		}
		if r.Name == "" {
			r.Name = r.Hosts[0] + r.Path
		}
		if r.Headers == nil {
			r.Headers, _ = Preset(DefaultPreset)
		}
	}
	table, err := NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{events: &events{all: make(chan Event, 10000)}}
	h.config = Config{
		PublicURL: &url.URL{Scheme: "https", Host: publicHost},
		Endpoints: "/.auth",
		Own: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "own %s %s", r.Host, r.URL.Path)
		}),
		Table:    table,
		Sessions: fakeSessions{cookies},
		Tokens:   fakeTokens{tokens},
		Cookies:  session.CookieNames{Session: cookieName, AttemptPrefix: cookieName + "-login-", Secure: true},
		Answers:  answer.New(answer.Options{Endpoints: "/.auth", Site: publicHost, Log: quiet()}),
		Observe:  h.events.observe,
		Log:      quiet(),
	}
	if change != nil {
		change(&h.config)
	}
	if h.proxy, err = New(h.config); err != nil {
		t.Fatal(err)
	}
	h.server = httptest.NewUnstartedServer(h.proxy)
	h.server.Config.ErrorLog = slog.NewLogLogger(quiet().Handler(), slog.LevelError)
	h.server.Config.DisableGeneralOptionsHandler = true
	h.server.Start()
	t.Cleanup(func() {
		h.server.CloseClientConnections()
		h.server.Close()
		h.proxy.Close()
	})
	h.addr = h.server.Listener.Addr().String()
	return h
}

// exchangeRaw sends literal bytes on a connection of its own and reads one answer
// to a request of the method that the bytes begin with.
func (h *house) raw(t testing.TB, request string) *rawAnswer {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %q: %v", request, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &rawAnswer{Response: res, body: string(body)}
}

type rawAnswer struct {
	*http.Response
	body string
}

// get sends a GET with further header lines, each "Name: value".
func (h *house) get(t testing.TB, target string, lines ...string) *rawAnswer {
	t.Helper()
	return h.send(t, "GET", target, lines...)
}

func (h *house) send(t testing.TB, method, target string, lines ...string) *rawAnswer {
	t.Helper()
	host := "Host: " + publicHost + "\r\n"
	for _, l := range lines {
		if strings.HasPrefix(strings.ToLower(l), "host:") {
			host = ""
		}
	}
	return h.raw(t, method+" "+target+" HTTP/1.1\r\n"+host+strings.Join(append(lines, "\r\n"), "\r\n"))
}

// wire is an upstream that speaks raw HTTP/1.1: it keeps each request's bytes as
// they came.
type wire struct {
	URL      *url.URL
	listener net.Listener
	mu       sync.Mutex
	heads    []string
	bodies   []string
	// answer is sent for each request.
	answer string
	wg     sync.WaitGroup
	conns  map[net.Conn]bool
}

func newWire(t testing.TB) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &wire{
		URL: &url.URL{Scheme: "http", Host: l.Addr().String()}, listener: l, conns: make(map[net.Conn]bool),
		answer: "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream",
	}
	u.wg.Go(u.accept)
	t.Cleanup(func() {
		l.Close()
		u.mu.Lock()
		for c := range u.conns {
			c.Close()
		}
		u.mu.Unlock()
		u.wg.Wait()
	})
	return u
}

func (u *wire) upstream() *Upstream { return &Upstream{Name: "wire", URLs: []*url.URL{u.URL}} }

func (u *wire) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.conns[c] = true
		u.mu.Unlock()
		u.wg.Go(func() { u.serve(c) })
	}
}

func (u *wire) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		var head strings.Builder
		length := 0
		chunked := false
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			name, value, _ := strings.Cut(line, ":")
			switch strings.ToLower(name) {
			case "content-length":
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			case "transfer-encoding":
				chunked = true
			}
			if line == "\r\n" {
				break
			}
		}
		var body strings.Builder
		for chunked {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			body.WriteString(line)
			if strings.HasSuffix(body.String(), "0\r\n") {
				for { // the trailers
					line, err := br.ReadString('\n')
					if err != nil {
						return
					}
					body.WriteString(line)
					if line == "\r\n" {
						chunked = false
						break
					}
				}
			}
		}
		if length > 0 {
			buf := make([]byte, length)
			if _, err := io.ReadFull(br, buf); err != nil {
				return
			}
			body.Write(buf)
		}
		u.mu.Lock()
		u.heads = append(u.heads, head.String())
		u.bodies = append(u.bodies, body.String())
		answer := u.answer
		u.mu.Unlock()
		if strings.HasPrefix(head.String(), "HEAD ") {
			answer, _, _ = strings.Cut(answer, "\r\n\r\n")
			answer += "\r\n\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// say sets the answer.
func (u *wire) say(answer string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = answer
}

// took returns the heads of the requests since the last call.
func (u *wire) took() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	heads := u.heads
	u.heads, u.bodies = nil, nil
	return heads
}

// one returns the head of the only request since the last call.
func (u *wire) one(t testing.TB) string {
	t.Helper()
	heads := u.took()
	if len(heads) != 1 {
		t.Fatalf("the upstream got %d requests, want 1: %q", len(heads), heads)
	}
	return heads[0]
}

// none fails if the upstream got anything.
func (u *wire) none(t testing.TB) {
	t.Helper()
	if heads := u.took(); len(heads) != 0 {
		t.Errorf("the upstream got %q, want nothing", heads)
	}
}

// requestLine is the target of a head.
func targetOf(head string) string {
	line, _, _ := strings.Cut(head, "\r\n")
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return line
	}
	return parts[1]
}

// values returns the values of all lines of a head whose name is name, whatever
// its case.
func values(head, name string) []string {
	var found []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			found = append(found, v)
		}
	}
	return found
}

// bodyTimeout is how long clients may let an upstream wait for a body from now on.
func (h *house) bodyTimeout(d time.Duration) { h.proxy.limiter.Set(limit.Limits{BodyTimeout: d}) }
