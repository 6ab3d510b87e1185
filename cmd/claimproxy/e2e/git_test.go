package e2e

import (
	"crypto/sha256"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// gitServer is git's own HTTP server, as a CGI program behind a small server, with one bare
// repository. It remembers who came, and with which user name it was told of them.
type gitServer struct {
	url string

	mu    sync.Mutex
	users map[string]int
}

func newGitServer(t testing.TB) *gitServer {
	t.Helper()
	need(t, gitProgram)
	root := t.TempDir()
	bare := filepath.Join(root, "git", "tool.git")
	for _, args := range [][]string{{"init", "-q", "--bare", "-b", "main", bare}, {"-C", bare, "config", "http.receivepack", "true"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	core, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(core)), "git-http-backend"), Root: "/",
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	g := &gitServer{users: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			// CGI has no chunked bodies; a web server in front of it buffers them.
			kept, err := os.CreateTemp(root, "body")
			if err != nil {
				t.Error(err)
				return
			}
			defer kept.Close()
			if r.ContentLength, err = io.Copy(kept, r.Body); err == nil {
				_, err = kept.Seek(0, io.SeekStart)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body, r.TransferEncoding = kept, nil
		}
		g.mu.Lock()
		g.users[r.Header.Get("X-Forwarded-User")]++
		g.mu.Unlock()
		if r.Header.Get("Authorization") != "" {
			t.Error("the token came to the application")
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// came is how often each user came.
func (g *gitServer) came() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.users)
}

// TestGitClonesAndPushesThroughClaimproxy with a token in the place of a password, which
// "claimproxy git-credential" hands to it.
func TestGitClonesAndPushesThroughClaimproxy(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		server := newGitServer(t)
		s.Recorder = server.url
		s.config = strings.Replace(s.config, "routes:\n", `routes:
  - path: /git/
    upstream: recorder
    accept_basic_token: true
    allow: developers
`, 1)
		s.start()
		m := newTerminal(t)
		m.run("git", "config", "--global", "user.name", "Alice")
		m.run("git", "config", "--global", "user.email", "alice@example.test")
		repository := s.url + "/git/tool.git"
		if got := m.try("", "git", "clone", "-q", repository, "nobody"); got.code == 0 {
			t.Error("git clones without a token")
		}
		m.login(s, people()["alice"])
		m.run("git", "config", "--global", "credential."+s.url+".helper", "!claimproxy git-credential")
		m.run("git", "clone", "-q", repository, "tool")
		if err := os.WriteFile(filepath.Join(m.home, "tool", "README"), []byte(strings.Repeat("hello\n", 10000)), 0o600); err != nil {
			t.Fatal(err)
		}
		m.run("git", "-C", "tool", "add", "README")
		m.run("git", "-C", "tool", "commit", "-q", "-m", "a beginning")
		m.run("git", "-C", "tool", "push", "-q", "origin", "HEAD:main")
		m.run("git", "clone", "-q", repository, "again")
		if data, err := os.ReadFile(filepath.Join(m.home, "again", "README")); err != nil || len(data) != 60000 {
			t.Errorf("got %d bytes, %v", len(data), err)
		}
		if users := server.came(); len(users) != 1 || users["alice"] < 4 {
			t.Errorf("the application was told of %v, want alice alone", users)
		}

		// A token that is refused is not offered again: git erases it, and the next one is new.
		old := m.token(s)
		(native{t: t, idp: s.idp, client: "native-public"}).userinfo(old).wantStatus(t, http.StatusOK)
		m.try("protocol=http\nhost="+strings.TrimPrefix(s.url, "http://")+"\nusername=invent\npassword="+old+"\n\n", "claimproxy", "git-credential", "erase")
		if m.token(s) == old {
			t.Error("the token that git has erased is offered again")
		}
		m.run("git", "-C", "again", "pull", "-q")

		// Somebody who may not is told so, and git does not ask for a password again and again.
		other := newTerminal(t)
		other.login(s, people()["bob"])
		other.run("git", "config", "--global", "credential."+s.url+".helper", "!claimproxy git-credential")
		if got := other.try("", "git", "clone", "-q", repository, "tool"); got.code == 0 || !strings.Contains(got.stderr, "403") {
			t.Errorf("got %+v, want 403", got)
		}
	})
}

// long has tests take what they may take in CI.
var long = flag.Bool("long", os.Getenv("CI") != "", "work with as much data as in CI")

// TestALargeRepositoryGoesThroughInLittleMemory, both ways: 200 MB in CI, of which nothing can
// be compressed.
func TestALargeRepositoryGoesThroughInLittleMemory(t *testing.T) {
	t.Parallel()
	server := newGitServer(t)
	c := newChanging(t)
	c.Recorder = server.url
	c.config = strings.Replace(c.config, "routes:\n", "routes:\n  - {path: /git/, upstream: recorder, accept_basic_token: true, allow: developers}\n", 1)
	c.start()
	m := newTerminal(t)
	m.patience = 5 * time.Minute
	m.run("git", "config", "--global", "user.name", "Ada")
	m.run("git", "config", "--global", "user.email", "ada@example.test")
	m.run("git", "config", "--global", "core.compression", "0")
	if err := os.WriteFile(filepath.Join(m.home, "token"), []byte("username=invent\npassword="+c.ada+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.run("git", "config", "--global", "credential.helper", "!cat ~/token; true")

	size := 20 << 20
	if *long {
		size = 200 << 20
	}
	m.run("git", "init", "-q", "-b", "main", "large")
	file, err := os.Create(filepath.Join(m.home, "large", "data"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, sum), rand.NewChaCha8([32]byte{}), int64(size)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	m.run("git", "-C", "large", "add", "data")
	m.run("git", "-C", "large", "commit", "-q", "-m", "large")
	repository := c.url + "/git/tool.git"
	m.run("git", "clone", "-q", repository, "empty")
	before := c.process.peakMemory(t)
	m.run("git", "-C", "large", "push", "-q", repository, "main")
	m.run("git", "clone", "-q", repository, "again")
	after := c.process.peakMemory(t)

	t.Logf("%d MiB there and back: the peak was %d KiB before and %d KiB after", size>>20, before, after)
	most := 16 << 10
	if raceDetector {
		most *= 4
	}
	if after-before > most {
		t.Errorf("%d MiB took %d KiB of memory, want %d at most", size>>20, after-before, most)
	}
	data, err := os.Open(filepath.Join(m.home, "again", "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	got := sha256.New()
	if _, err := io.Copy(got, data); err != nil || string(got.Sum(nil)) != string(sum.Sum(nil)) {
		t.Errorf("what came back is not what was sent, %v", err)
	}
	if users := server.came(); len(users) != 1 || users["ada"] < 4 {
		t.Errorf("the application was told of %v, want ada alone", users)
	}
}
