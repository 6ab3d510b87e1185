package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// running is a program that was started as main does it.
type running struct {
	t      *testing.T
	dir    string
	file   string // the configuration
	stdout lines
	stderr lines
	cancel context.CancelFunc
	ended  chan struct{}
	code   int
	// public and admin are the origins of the two listeners.
	public, admin string
	client        http.Client
	provider      *devprovider.Server
	// token, if any, is sent to the public listener.
	token string
}

// lines is what a program writes.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// start serves app with routes and further keys, and options for serve. Ada is a
// developer.
func start(t *testing.T, app http.HandlerFunc, keys, routes string, options ...string) *running {
	t.Helper()
	upstream := httptest.NewServer(app)
	t.Cleanup(upstream.Close)
	r := &running{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	r.provider = devprovider.NewServer(devprovider.Options{
		Algorithm: "ES256",
		People:    []devprovider.Person{{Name: "ada", Groups: []string{"teams/a"}}},
		Clients:   []devprovider.Client{{ID: "web", Secret: "s3cr3t-of-web", JWT: true, Audience: []string{"web"}}},
	})
	t.Cleanup(r.provider.Close)
	r.file = filepath.Join(r.dir, "claimproxy.yaml")
	text := fmt.Sprintf(`
public_url: http://localhost
listen: 127.0.0.1:0
state_dir: %q
providers:
  - {id: idp, issuer: %q, client_id: web, client_secret: s3cr3t-of-web}
policies:
  developers: groups contains teams/a
upstreams:
  app: {url: %q}
%s
routes:
%s`, filepath.Join(r.dir, "state"), r.provider.Issuer(), upstream.URL, keys, routes)
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		r.code = run(ctx, append([]string{"serve", "-c", r.file}, options...), &r.stdout, &r.stderr)
	}()
	t.Cleanup(func() { r.client.CloseIdleConnections(); cancel(); <-r.ended })
	var serving struct{ Msg, Listen, Admin string }
	eventually(t, "the program serves", func() bool {
		for line := range strings.Lines(r.stderr.String()) {
			if json.Unmarshal([]byte(line), &serving) == nil && serving.Msg == "serving" {
				return true
			}
		}
		select {
		case <-r.ended:
			t.Fatalf("ended with %d:\n%s", r.code, r.stderr.String())
		default:
		}
		return false
	})
	r.public = "http://" + strings.Trim(serving.Listen, "[]")
	if serving.Admin != "" {
		r.admin = "http://" + serving.Admin
	}
	r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return r
}

// signIn has requests sent by somebody from now on.
func (r *running) signIn(person string) {
	r.token = r.provider.Issue(person, "web", "openid profile").AccessToken
}

// stop ends the program as a signal would.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	<-r.ended
	if r.code != exitFine {
		r.t.Errorf("ended with %d:\n%s", r.code, r.stderr.String())
	}
}

// ask sends a request to a path of an origin, on public_url's host.
func (r *running) ask(method, url string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.HasPrefix(url, r.public) {
		req.Host = "localhost"
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// entry is a line of the audit log.
type entry struct {
	RequestID    string `json:"request_id"`
	Route        string
	Path         string
	Decision     string
	Reason       string
	Policy       string
	Auth, Sub    string
	Status       int
	Shadow       string
	ShadowPolicy string `json:"shadow_policy"`
}

// entries reads the lines of an audit log.
func entries(t *testing.T, text string) []entry {
	t.Helper()
	var all []entry
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		var e entry
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("%v in %q", err, s.Text())
		}
		all = append(all, e)
	}
	return all
}

func echo(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "the application: %s", r.URL.Path) }
