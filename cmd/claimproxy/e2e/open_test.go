package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The tests here are about what is open when a session or a token ends.

// socket opens a websocket of the recorder's with these headers.
func (s *site) socket(headers ...string) *websocket.Conn {
	s.t.Helper()
	return s.socketAt("/recorder/echo", headers...)
}

// socketAt opens a websocket at a path with these headers.
func (s *site) socketAt(path string, headers ...string) *websocket.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	client := newClient(nil)
	client.Timeout = 0 // the library has ctx for that
	conn, _, err := websocket.Dial(ctx, strings.Replace(s.url, "http:", "ws:", 1)+path, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: request(s.t, http.MethodGet, s.url, nil, headers...).Header,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// wantEcho fails unless the websocket works.
func wantEcho(t testing.TB, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(ctx); err != nil {
		t.Fatal(err)
	}
}

// wantPolicyViolation fails unless the websocket is closed with 1008 within this time.
func wantPolicyViolation(t testing.TB, conn *websocket.Conn, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the websocket ended with %v, want %v within %v", err, websocket.StatusPolicyViolation, within)
	}
}

// wantBroken fails unless the stream breaks off within this time.
func (s stream) wantBroken(t testing.TB, within time.Duration) {
	t.Helper()
	over := make(chan string, 1)
	go func() {
		for s.lines.Scan() {
			if s.lines.Text() != "" {
				over <- s.lines.Text()
				return
			}
		}
		over <- ""
	}()
	select {
	case got := <-over:
		if got != "" || s.lines.Err() == nil {
			t.Errorf("the stream went on with %q and ended with %v, want it broken off", got, s.lines.Err())
		}
	case <-time.After(within):
		t.Errorf("the stream goes on after %v", within)
	}
}

func (s *site) cookieHeaders(b *browser) []string {
	c := s.sessionCookie(b)
	return []string{"Cookie: " + c.Name + "=" + c.Value, "Origin: " + s.url}
}

// events opens an event stream with these headers and reads the first event.
func (s *site) events(headers ...string) stream {
	s.t.Helper()
	events := s.stream("/recorder/events", headers...)
	events.want(s.t, "data: first")
	return events
}

func TestSigningOutEndsWhatIsOpen(t *testing.T) {
	eachStore(t, func(t *testing.T, k keeping) {
		s := setups[0].site(t)
		s.Recorder, _ = newStreamer(t)
		s.Session = k.in(t, s, "")
		s.start()
		alice := people()["alice"]
		b, other := s.browser(), s.browser()
		for _, each := range []*browser{b, other} {
			each.signIn(s.url+"/recorder/", s.idp, alice).wantStatus(t, http.StatusOK)
		}
		conn, events, others := s.socket(s.cookieHeaders(b)...), s.events(s.cookieHeaders(b)...), s.socket(s.cookieHeaders(other)...)
		wantEcho(t, conn)
		b.button(b.visit(s.url+"/.auth/sign-out"), "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
		wantPolicyViolation(t, conn, time.Second)
		events.wantBroken(t, time.Second)
		wantEcho(t, others)
	})
}

func TestWhatIsOpenEndsWithAGroupAndWithAToken(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder, _ = newStreamer(t)
		s.Session, s.CacheMax = briskly, "1s"
		s.start()
		who := s.idp.newPerson(t, "teams/kde-developers")
		b := s.browser()
		b.signIn(s.url+"/recorder/", s.idp, who).wantStatus(t, http.StatusOK)
		program := s.native("native-public", "")
		got := program.signIn(who)
		token := "Authorization: Bearer " + got.Access

		conn, byToken := s.socket(s.cookieHeaders(b)...), s.socket(token)
		time.Sleep(2500 * time.Millisecond) // claims have been fetched again, and nothing was lost
		wantEcho(t, conn)
		wantEcho(t, byToken)

		program.revoke(got.Access)
		wantPolicyViolation(t, byToken, patience)
		wantEcho(t, conn)
		s.idp.change(t, who, map[string]any{"groups": []string{"teams/kde-developers-emeritus"}})
		wantPolicyViolation(t, conn, patience)
	})
}

func TestWhatIsOpenAtOneReplicaEndsWithASignOutAtTheOther(t *testing.T) {
	t.Parallel()
	p := setups[0].shared(t)
	r := newReplicas(t, p, "")
	upstream, _ := newStreamer(t)
	for i, s := range r.all {
		r.only.Store(int64(i))
		s.Recorder = upstream
		s.restart()
	}
	r.only.Store(takeTurns)
	b := r.browser()
	b.signIn(r.url+"/recorder/", p, people()["alice"]).wantStatus(t, http.StatusOK)
	r.only.Store(1)
	conn, events := r.socket(r.cookieHeaders(b)...), r.events(r.cookieHeaders(b)...)
	wantEcho(t, conn)
	r.at(0, func() *answer {
		return b.button(b.visit(r.url+"/.auth/sign-out").wantStatus(t, http.StatusOK), "/.auth/sign-out", nil)
	}).wantStatus(t, http.StatusSeeOther)
	wantPolicyViolation(t, conn, time.Second)
	events.wantBroken(t, time.Second)
}

// TestWebsocketsAreToldThatTheProgramEnds.
func TestWebsocketsAreToldThatTheProgramEnds(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder, _ = newStreamer(t)
	s.start()
	conn := s.socket("Authorization: Bearer " + s.native("native-public", "").signIn(people()["alice"]).Access)
	wantEcho(t, conn)
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the websocket ended with %v, want %v", err, websocket.StatusGoingAway)
	}
	<-stopped
}
