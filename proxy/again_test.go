package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/claimproxy/claimproxy/session"
)

// standing is the sessions and tokens of a test: whose they are, until that is changed.
// Their names are their proofs.
type standing struct {
	session.Watchers
	mu      sync.Mutex
	by      map[string]func() (*session.Identity, error)
	looks   atomic.Int64
	uses    atomic.Int64
	before  func() // called when it was decided
	watched chan bool
}

// Watch implements Changes.
func (s *standing) Watch(changed func(session.Key)) (stop func()) {
	defer func() { s.watched <- true }()
	return s.Add(changed)
}

func newStanding() *standing {
	return &standing{by: make(map[string]func() (*session.Identity, error)), watched: make(chan bool, 9)}
}

func proofOf(name string) (k session.Key) {
	copy(k[:], name)
	return k
}

func (s *standing) of(name string, auth session.Auth) (*session.Identity, error) {
	s.mu.Lock()
	said := s.by[name]
	s.mu.Unlock()
	if said != nil {
		return said()
	}
	id := developer(auth, nil)
	id.Proof = proofOf(name)
	return id, nil
}

// set changes what becomes of a session or token; tell says so.
func (s *standing) set(name string, said func() (*session.Identity, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[name] = said
}

func (s *standing) end(name string) {
	s.set(name, func() (*session.Identity, error) {
		return nil, session.Reject(session.ReasonSessionEnded, "Your session has ended. Please sign in again.", nil)
	})
	s.Tell(proofOf(name))
}

func (s *standing) identify(r *http.Request) (*session.Identity, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil, session.ErrNoCredentials
	}
	id, err := s.of(c.Value, session.AuthBrowser)
	if s.before != nil {
		s.before()
	}
	return id, err
}

// Identify and Look implement Sessions.
func (s *standing) Identify(r *http.Request) (*session.Identity, error) {
	s.uses.Add(1)
	return s.identify(r)
}

func (s *standing) Look(r *http.Request) (*session.Identity, error) {
	s.looks.Add(1)
	return s.identify(r)
}

func (s *standing) Verify(_ context.Context, p session.Presented) (*session.Identity, error) {
	return s.of(p.Token, session.AuthBearer)
}

// streaming is an application of streams behind a proxy that looks after them.
func streaming(t *testing.T, change func(*Config)) (*house, *standing) {
	s := newStanding()
	h := application(t, http.HandlerFunc(serveStreams), func(c *Config) {
		c.Sessions, c.Tokens, c.Changes = s, s, []Changes{s}
		if change != nil {
			change(c)
		}
	})
	h.runs(t, s)
	return h, s
}

// runs has the proxy look after its streams until the test ends.
func (h *house) runs(t *testing.T, s *standing) {
	h.proxy.again.every = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.proxy.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	<-s.watched
}

func serveStreams(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	switch r.URL.Path {
	case "/private/socket", "/public/socket":
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, msg) != nil {
				return
			}
		}
	case "/private/events", "/private/download", "/private/grpc", "/public/events":
		kind := map[string]string{"events": "text/event-stream", "download": "application/zip", "grpc": "application/grpc+proto"}
		w.Header().Set("Content-Type", kind[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]])
		for {
			if _, err := io.WriteString(w, "data: x\n\n"); err != nil || flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	case "/private/upload":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}
}

// as is the credentials of somebody.
func as(name string) http.Header {
	if token, ok := strings.CutPrefix(name, "token-"); ok {
		return http.Header{"Authorization": {"Bearer " + token}}
	}
	return http.Header{"Cookie": {cookieName + "=" + name}, "Origin": {"https://" + publicHost}}
}

func (h *house) socket(t *testing.T, name string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://"+publicHost+"/private/socket", &websocket.DialOptions{HTTPClient: h.client(t), HTTPHeader: as(name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// echo fails unless the websocket works.
func echo(t *testing.T, c *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := c.Read(ctx); err != nil || string(msg) != "hello" {
		t.Fatalf("got %q, %v; want hello", msg, err)
	}
}

// wantClosed fails unless the websocket is closed with this code soon.
func wantClosed(t *testing.T, c *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_, _, err := c.Read(ctx)
	if got := websocket.CloseStatus(err); got != code {
		t.Fatalf("the websocket ended with %d (%v) after %v, want %d", got, err, time.Since(began), code)
	}
}

// open opens a stream or a download and reads its first line.
func (h *house) open(t *testing.T, path, name string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = as(name)
	res, err := h.client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("%s: got %d", path, res.StatusCode)
	}
	goesOn(t, res)
	return res
}

func goesOn(t *testing.T, res *http.Response) {
	t.Helper()
	if _, err := io.ReadFull(res.Body, make([]byte, 30)); err != nil {
		t.Fatalf("%s has ended: %v", res.Request.URL.Path, err)
	}
}

// wantBroken fails unless the answer breaks off soon: it must not look whole.
func wantBroken(t *testing.T, res *http.Response) {
	t.Helper()
	broken := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		broken <- err
	}()
	select {
	case err := <-broken:
		if err == nil {
			t.Errorf("%s ended as if it were whole", res.Request.URL.Path)
		}
	case <-time.After(time.Second):
		t.Fatalf("%s goes on", res.Request.URL.Path)
	}
}

// TestAnEndedSessionEndsWhatIsOpen (WS-04, CVE-2023-40025): websockets, streams, and
// downloads too. What others have open goes on.
func TestAnEndedSessionEndsWhatIsOpen(t *testing.T) {
	for _, name := range []string{"jane", "token-jane"} {
		t.Run(name, func(t *testing.T) {
			h, s := streaming(t, nil)
			socket, others := h.socket(t, name), h.socket(t, "other")
			echo(t, socket)
			echo(t, others)
			var open []*http.Response
			for _, path := range []string{"/private/events", "/private/grpc", "/private/download"} {
				open = append(open, h.open(t, path, name))
			}
			otherEvents, otherDownload := h.open(t, "/private/events", "other"), h.open(t, "/private/download", "other")

			s.set("jane", func() (*session.Identity, error) {
				if name == "jane" {
					return nil, session.Reject(session.ReasonSessionEnded, "Your session has ended.", nil)
				}
				return nil, session.Reject(session.ReasonTokenInvalid, "The token was revoked.", nil)
			})
			s.Tell(proofOf("jane"))
			wantClosed(t, socket, websocket.StatusPolicyViolation)
			for _, res := range open {
				wantBroken(t, res)
			}
			echo(t, others)
			goesOn(t, otherEvents)
			goesOn(t, otherDownload)
		})
	}
}

// TestStreamsEndWithWhatTheyNeed: a group that is lost, a session that is over. Nobody
// says so; it is found out. A download that was let in finishes.
func TestStreamsEndWithWhatTheyNeed(t *testing.T) {
	for name, said := range map[string]func() (*session.Identity, error){
		"lost group": func() (*session.Identity, error) {
			return person(session.AuthBrowser, "jane", session.Claims{"groups": []any{}}), nil
		},
		"expired": func() (*session.Identity, error) {
			return nil, session.Reject(session.ReasonSessionExpired, "Your session has expired.", nil)
		},
		"blocked": func() (*session.Identity, error) {
			return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: fmt.Errorf("status 500: %w", session.ErrNoGrace)}
		},
		"no cookie of ours any more": func() (*session.Identity, error) { return nil, session.ErrNoCredentials },
	} {
		t.Run(name, func(t *testing.T) {
			h, s := streaming(t, nil)
			socket, events, download := h.socket(t, "jane"), h.open(t, "/private/events", "jane"), h.open(t, "/private/download", "jane")
			echo(t, socket)
			s.set("jane", said)
			wantClosed(t, socket, websocket.StatusPolicyViolation)
			wantBroken(t, events)
			s.Tell(proofOf("jane"))
			time.Sleep(50 * time.Millisecond)
			goesOn(t, download)
		})
	}
}

// TestStreamsGoOnForAWhileWhenNobodyKnows: an outage of seconds ends nothing.
func TestStreamsGoOnForAWhileWhenNobodyKnows(t *testing.T) {
	var clock atomic.Int64
	h, s := streaming(t, func(c *Config) { c.Now = func() time.Time { return time.Unix(clock.Load(), 0) } })
	clock.Store(1000)
	socket := h.socket(t, "jane")
	down := func() (*session.Identity, error) {
		return nil, &session.Unavailable{Reason: session.ReasonStoreUnavailable, Sentence: "The store is away."}
	}
	away := func() {
		t.Helper()
		s.set("jane", down)
		looks := s.looks.Load()
		for s.looks.Load() < looks+3 {
			time.Sleep(time.Millisecond)
		}
	}
	away()
	clock.Add(9)
	away()
	echo(t, socket)
	s.set("jane", nil) // it is back
	looks := s.looks.Load()
	for s.looks.Load() < looks+3 {
		time.Sleep(time.Millisecond)
	}
	clock.Add(9)
	away()
	echo(t, socket)
	clock.Add(11)
	wantClosed(t, socket, websocket.StatusPolicyViolation)
}

// TestAnUploadIsRefusedWhenItsSessionEnds: it has not been answered, so it can be told why.
func TestAnUploadIsRefusedWhenItsSessionEnds(t *testing.T) {
	h, s := streaming(t, nil)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "PUT /private/upload HTTP/1.1\r\nHost: %s\r\nCookie: %s=jane\r\nContent-Length: 1000000\r\n\r\nfirst bytes", publicHost, cookieName)
	for len(h.proxy.kept.of(proofOf("jane"))) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.end("jane")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 401 || !strings.Contains(string(body), "session-ended") {
		t.Errorf("got %d\n%s", res.StatusCode, body)
	}
	if e := h.events.next(t); e.Status != 401 || e.Reason != "session-ended" {
		t.Errorf("event %+v", e)
	}
}

// TestAnUploadFinishesWhenItsSessionIsOver, as it was let in.
func TestAnUploadFinishesWhenItsSessionIsOver(t *testing.T) {
	h, s := streaming(t, nil)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "PUT /private/upload HTTP/1.1\r\nHost: %s\r\nCookie: %s=jane\r\nContent-Length: 10\r\n\r\nfirst", publicHost, cookieName)
	for len(h.proxy.kept.of(proofOf("jane"))) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.set("jane", func() (*session.Identity, error) {
		return nil, session.Reject(session.ReasonSessionExpired, "Your session has expired.", nil)
	})
	s.Tell(session.AnySession)
	time.Sleep(30 * time.Millisecond)
	io.WriteString(c, "other")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("got %+v, %v", res, err)
	}
}

// TestASessionThatEndsWhileItIsDecidedOn: between the answer of the store and the list of
// what is under way nothing is lost.
func TestASessionThatEndsWhileItIsDecidedOn(t *testing.T) {
	h, s := streaming(t, nil)
	var once sync.Once
	s.before = func() { once.Do(func() { s.end("jane") }) }
	req, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/private/download", nil)
	req.Header = as("jane")
	res, err := h.client(t).Do(req)
	if err != nil {
		return // broken off before its header
	}
	defer res.Body.Close()
	if res.StatusCode != 401 {
		wantBroken(t, res)
	}
}

// TestAnOpenPageIsNoUseOfItsSession, but what somebody sends over a websocket is.
func TestAnOpenPageIsNoUseOfItsSession(t *testing.T) {
	h, s := streaming(t, nil)
	socket := h.socket(t, "jane")
	h.open(t, "/private/events", "jane")
	uses, looks := s.uses.Load(), s.looks.Load()
	for s.looks.Load() < looks+6 {
		time.Sleep(time.Millisecond)
	}
	if got := s.uses.Load(); got != uses {
		t.Fatalf("the session was used %d times by what is open", got-uses)
	}
	echo(t, socket)
	looks = s.looks.Load()
	for s.looks.Load() < looks+6 {
		time.Sleep(time.Millisecond)
	}
	if got := s.uses.Load(); got != uses+1 {
		t.Errorf("the session was used %d times by what was sent, want once", got-uses)
	}
}

// frameByFrame is a websocket at both ends, by hand.
func frameByFrame(t *testing.T, upstream func(net.Conn)) (*house, *standing, net.Conn, *bufio.Reader) {
	t.Helper()
	s := newStanding()
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		rw.Flush()
		upstream(c)
	}), func(c *Config) { c.Sessions, c.Tokens, c.Changes = s, s, []Changes{s} })
	h.runs(t, s)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "GET /private/ HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://%s\r\nCookie: %s=jane\r\n\r\n", publicHost, publicHost, cookieName)
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("got %+v, %v", res, err)
	}
	return h, s, c, br
}

// TestACloseFrameCutsNoOtherInTwo: it comes at the end of the frame that is under way.
func TestACloseFrameCutsNoOtherInTwo(t *testing.T) {
	half, rest := make(chan bool), make(chan bool)
	h, s, _, br := frameByFrame(t, func(c net.Conn) {
		c.Write([]byte("\x82\x0a01234"))
		half <- true
		<-rest
		c.Write([]byte("56789\x82\x04lost"))
		io.Copy(io.Discard, c)
	})
	<-half
	got := make([]byte, 7)
	if _, err := io.ReadFull(br, got); err != nil {
		t.Fatal(err)
	}
	x := h.proxy.kept.of(proofOf("jane"))[0]
	s.end("jane")
	for x.wasBroken() == nil {
		time.Sleep(time.Millisecond)
	}
	rest <- true
	more, _ := io.ReadAll(br)
	if want := append([]byte("56789"), closeFrame(1008, "Your session has ended. Please sign in again.")...); !bytes.Equal(more, want) {
		t.Errorf("got %q, want %q", more, want)
	}
}

// TestNothingPassesAnEndedWebsocket towards the upstream either.
func TestNothingPassesAnEndedWebsocket(t *testing.T) {
	got := make(chan string, 1)
	_, s, c, br := frameByFrame(t, func(c net.Conn) {
		all, _ := io.ReadAll(c)
		got <- string(all)
	})
	s.end("jane")
	if b, err := br.ReadByte(); err != nil || b != 0x88 {
		t.Fatalf("got %x, %v; want a close frame", b, err)
	}
	io.WriteString(c, "\x82\x84\x00\x00\x00\x00rm *")
	c.Close()
	if sent := <-got; sent != "" {
		t.Errorf("the upstream got %q", sent)
	}
}

// TestAWebsocketEndsWhateverItsEndsDo: an upstream that stops in the middle of a frame, a
// client that reads nothing, a client that floods.
func TestAWebsocketEndsWhateverItsEndsDo(t *testing.T) {
	t.Run("upstream stops in a frame", func(t *testing.T) {
		_, s, _, br := frameByFrame(t, func(c net.Conn) {
			c.Write([]byte("\x82\x0a01234"))
			io.Copy(io.Discard, c)
		})
		if _, err := io.ReadFull(br, make([]byte, 7)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.end("jane")
		if more, _ := io.ReadAll(br); len(more) != 0 || time.Since(began) > 2*time.Second {
			t.Errorf("got %q after %v", more, time.Since(began))
		}
	})
	for name, client := range map[string]func(net.Conn){
		"client reads nothing": func(net.Conn) {},
		"client floods": func(c net.Conn) {
			flood := append([]byte("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00"), make([]byte, 1<<20)...)
			for {
				if _, err := c.Write(flood); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan time.Time, 1)
			h, s, c, _ := frameByFrame(t, func(c net.Conn) {
				go io.Copy(io.Discard, c)
				frame := append([]byte("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00"), make([]byte, 1<<20)...)
				for {
					if _, err := c.Write(frame); err != nil {
						over <- time.Now()
						return
					}
				}
			})
			var sending sync.WaitGroup
			sending.Go(func() { client(c) })
			time.Sleep(50 * time.Millisecond) // the buffers fill
			s.end("jane")
			began := time.Now()
			select {
			case <-over:
			case <-time.After(3 * time.Second):
				t.Error("the upstream's side is still open after 3 s")
			}
			if e := h.events.next(t); e.Status != 101 {
				t.Errorf("event %+v", e)
			}
			if took := time.Since(began); took > 1500*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			c.Close()
			sending.Wait()
		})
	}
}

// TestANewConfigurationDecidesOnStreams, those that were public too.
func TestANewConfigurationDecidesOnStreams(t *testing.T) {
	h, s := streaming(t, nil)
	socket, kept := h.socket(t, "jane"), h.socket(t, "other")
	s.set("other", func() (*session.Identity, error) {
		return person(session.AuthBrowser, "joe", session.Claims{"groups": []any{"teams/sysadmins", "teams/kde-developers"}}), nil
	})
	public, _, err := websocket.Dial(t.Context(), "ws://"+publicHost+"/public/socket", &websocket.DialOptions{HTTPClient: h.client(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer public.CloseNow()
	echo(t, public)

	r := newRules(t)
	later := build(t, []Route{{Path: "/", SignIn: Browser, Allow: r.of("admins"), Upstream: h.proxy.table.routes[0].Upstream}}, func(c *Config) {
		c.Sessions, c.Changes = s, []Changes{s}
	})
	h.proxy.Succeed(later.proxy)
	wantClosed(t, socket, websocket.StatusPolicyViolation)
	wantClosed(t, public, websocket.StatusPolicyViolation)
	echo(t, kept)
	s.end("other")
	wantClosed(t, kept, websocket.StatusPolicyViolation)
}

// TestWebsocketsAreToldWhenTheProxyGoes, as nobody waits for them.
func TestWebsocketsAreToldWhenTheProxyGoes(t *testing.T) {
	h, _ := streaming(t, nil)
	socket := h.socket(t, "jane")
	echo(t, socket)
	go h.proxy.Close()
	wantClosed(t, socket, websocket.StatusGoingAway)
}

// TestNothingIsKeptOfWhatIsOver.
func TestNothingIsKeptOfWhatIsOver(t *testing.T) {
	h, _ := streaming(t, nil)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 50 {
				h.get(t, "/private/upload", "Cookie: "+cookieName+"=jane")
			}
		})
	}
	work.Wait()
	socket := h.socket(t, "jane")
	_ = socket.Close(websocket.StatusNormalClosure, "")
	for began := time.Now(); len(h.proxy.kept.of(session.AnySession)) > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("%d are left", len(h.proxy.kept.of(session.AnySession)))
		}
	}
}

func TestKindsOfStreams(t *testing.T) {
	for value, want := range map[string]bool{
		"text/event-stream": true, "Text/Event-Stream; charset=utf-8": true, "application/grpc": true, "application/grpc+proto": true,
		"application/grpc-web-text": true, "multipart/x-mixed-replace;boundary=x": true,
		"text/event-streams": false, "application/grpcx": false, "text/plain": false, "": false,
	} {
		if got := isEndless(http.Header{"Content-Type": {value}}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// interrupted is a teller of changes that is telling of one whenever somebody ceases to
// watch, and lets nobody go before it has.
type interrupted struct{ late chan bool }

func (i interrupted) Watch(changed func(session.Key)) (stop func()) {
	return func() {
		told := make(chan struct{})
		go func() {
			changed(proofOf("jane"))
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(5 * time.Second):
			i.late <- true
		}
	}
}

// TestAChangeThatIsToldDuringAReloadHoldsNobodyUp: a new configuration ceases to listen for
// the old one while a session is renewed. Each used to wait for the other, and with them
// every sign-in and every reload that followed.
func TestAChangeThatIsToldDuringAReloadHoldsNobodyUp(t *testing.T) {
	i := interrupted{make(chan bool, 9)}
	u := newWire(t)
	build := func() *Proxy {
		return build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()}}, func(c *Config) { c.Changes = []Changes{i} }).proxy
	}
	old, next := build(), build()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { old.Run(ctx) })
	for range 3 {
		old.Succeed(next)
	}
	cancel()
	running.Wait()
	old.Succeed(next) // too late, and it ceases at once
	if len(i.late) > 0 {
		t.Error("who tells of a change and who ceases to listen wait for each other")
	}
}
