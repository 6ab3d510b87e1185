package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// newStreamer is an upstream with a websocket that echoes and an event stream
// that goes on until somebody lets it end.
func newStreamer(t testing.TB) (url string, end chan struct{}) {
	t.Helper()
	end = make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/recorder/echo", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, fmt.Appendf(nil, "%s says %s", r.Header.Get("X-Forwarded-User"), message)) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/recorder/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-end:
			fmt.Fprint(w, "data: last\n\n")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/recorder/", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, end
}

func TestAWebsocketOpensForWhomItShould(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder, _ = newStreamer(t)
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	cookie := s.sessionCookie(b)
	session := "Cookie: " + cookie.Name + "=" + cookie.Value
	token := "Authorization: Bearer " + s.native("native-public", "").signIn(people()["alice"]).Access

	for _, tc := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"a page of the site", []string{session, "Origin: " + s.url}, http.StatusSwitchingProtocols},
		{"a page of another site, with the person's cookie", []string{session, "Origin: https://evil.example"}, http.StatusForbidden},
		{"a page of no site, with the person's cookie", []string{session, "Origin: null"}, http.StatusForbidden},
		{"a program", []string{token}, http.StatusSwitchingProtocols},
		{"nobody", []string{"Origin: " + s.url}, http.StatusUnauthorized},
		{"a bad token", []string{"Authorization: Bearer nonsense"}, http.StatusUnauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client := newClient(nil)
			client.Timeout = 0 // the library has ctx for that
			conn, resp, err := websocket.Dial(ctx, strings.Replace(s.url, "http:", "ws:", 1)+"/recorder/echo", &websocket.DialOptions{
				HTTPClient: client, HTTPHeader: request(t, http.MethodGet, s.url, nil, tc.headers...).Header,
			})
			if resp == nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status {
				t.Fatalf("got status %d, want %d", resp.StatusCode, tc.status)
			}
			if err != nil {
				return
			}
			defer conn.CloseNow()
			if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, message, err := conn.Read(ctx); err != nil || string(message) != "alice says hello" {
				t.Errorf("got %q, %v, want an echo with the name", message, err)
			}
			if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
	}
}

func TestEventsArriveWhenTheyAreSent(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream, end := newStreamer(t)
	s.Recorder = upstream
	s.start()
	events := s.listen("/recorder/events")
	events.want(t, "data: first") // while the stream is open
	close(end)
	events.want(t, "data: last")
}

func TestARequestUnderWayEndsBeforeTheProgramDoes(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream, end := newStreamer(t)
	s.Recorder = upstream
	s.start()
	events := s.listen("/recorder/events")
	events.want(t, "data: first")
	if err := s.process.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, "nobody new is served", func() bool {
		resp, err := plainClient.Get(s.url + "/receiver/submit/x")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	if !s.process.running() {
		t.Fatal("the program did not wait for the request that was under way")
	}
	close(end)
	events.want(t, "data: last")
	s.ended()
}

// stream is an event stream that is read line by line.
type stream struct{ lines *bufio.Scanner }

// listen opens an event stream as a program of alice's.
func (s *site) listen(path string) stream {
	s.t.Helper()
	return s.stream(path, "Authorization: Bearer "+s.native("native-public", "").signIn(people()["alice"]).Access)
}

// stream opens an event stream with these headers.
func (s *site) stream(path string, headers ...string) stream {
	s.t.Helper()
	resp, err := plainClient.Do(request(s.t, http.MethodGet, s.url+path, nil, append(headers, "Accept: text/event-stream")...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	return stream{bufio.NewScanner(resp.Body)}
}

// want reads the next line that is not empty.
func (s stream) want(t testing.TB, line string) {
	t.Helper()
	for s.lines.Scan() {
		if got := s.lines.Text(); got == line {
			return
		} else if got != "" {
			t.Fatalf("got the event %q, want %q", got, line)
		}
	}
	t.Fatalf("the stream ended, %v, want %q", s.lines.Err(), line)
}
