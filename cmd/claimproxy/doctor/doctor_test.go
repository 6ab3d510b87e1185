package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
)

// fakeBackend is a store that answers every question in one way.
type fakeBackend struct {
	session.Backend
	err error
}

func (f fakeBackend) Load(context.Context, session.Key) (session.Entry, error) {
	return session.Entry{}, f.err
}

func TestRedisIsAskedForASessionThatNobodyHas(t *testing.T) {
	for name, test := range map[string]struct {
		backend session.Backend
		level   Level
		says    string
	}{
		"it answers":         {fakeBackend{err: session.ErrNotFound}, OK, "it answers"},
		"it refuses":         {fakeBackend{err: errors.New("NOAUTH Authentication required")}, Problem, "NOAUTH"},
		"it cannot be asked": {nil, Problem, "cannot be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Patient{Config: &config.Config{Session: config.Session{Store: config.StoreRedis}}, Backend: test.backend, Now: fixed}
			got := p.store(t.Context())
			if len(got) != 1 || got[0].Level != test.level || !strings.Contains(got[0].Says, test.says) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheStateDirectoryIsForClaimproxyAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such bits")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o750); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Level{own: OK, open: Problem, file: Problem, filepath.Join(dir, "none"): Note} {
		n := &notes{}
		stateDir(n, name)
		if len(n.list) != 1 || n.list[0].Level != want {
			t.Errorf("%s: got %+v, want %s", filepath.Base(name), n.list, want)
		}
	}
	if entries, err := os.ReadDir(own); err != nil || len(entries) != 0 {
		t.Errorf("something was left: %v, %v", entries, err)
	}
}

// TestAFrontProxyThatTakesNoLargeHeadersIsFound, and one that leads elsewhere.
func TestAFrontProxyThatTakesNoLargeHeadersIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		front http.HandlerFunc
		check string
		level Level
	}{
		"all is well": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("[]")) }, "large headers", OK},
		"8 KiB and no more": {func(w http.ResponseWriter, r *http.Request) {
			if len(r.Header.Get("X-Claimproxy-Padding")) > 8<<10 {
				w.WriteHeader(http.StatusBadRequest)
			}
			w.Write([]byte("[]"))
		}, "large headers", Warning},
		"it breaks off": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Claimproxy-Padding") != "" {
				panic(http.ErrAbortHandler)
			}
			w.Write([]byte("[]"))
		}, "large headers", Warning},
		"another address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://www.example.org/", http.StatusMovedPermanently)
		}, "reachable", Problem},
		"the application": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "reachable", Problem},
	} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(test.front)
			defer front.Close()
			u, _ := url.Parse(front.URL)
			p := &Patient{Config: &config.Config{PublicURL: u, Endpoints: "/.auth", Listen: []string{"127.0.0.1:8080"}}, Now: fixed}
			got := p.publicURL(t.Context())
			if last := got[len(got)-1]; last.Check != test.check || last.Level != test.level || (last.Level != OK) != (last.Do != "") {
				t.Errorf("got %+v, want %s about %s", last, test.level, test.check)
			}
		})
	}
}

// TestATerminalObeysNothingOfWhatOthersSay, and lines fit it.
func TestATerminalObeysNothingOfWhatOthersSay(t *testing.T) {
	var b strings.Builder
	list := []Finding{
		{About: "provider \x1b[2J", Check: "discovery", Level: Problem, Says: "it says \x1b]0;evil\a and \u202e", Do: strings.Repeat("words to be broken ", 20)},
		{About: "token", Check: "check", Level: OK, Says: "fine"},
	}
	if err := Write(&b, list); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\a\u202e") {
		t.Errorf("a terminal would obey %q", b.String())
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
			t.Errorf("a line has %d characters: %s", n, line)
		}
	}
	if !strings.HasSuffix(b.String(), "\n1 problem, 0 warnings.\n") {
		t.Errorf("got\n%s", b.String())
	}
	if Sound(list) || !Sound(list[1:]) {
		t.Error("a problem is sound, or what is fine is not")
	}
}

func fixed() time.Time { return time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC) }
