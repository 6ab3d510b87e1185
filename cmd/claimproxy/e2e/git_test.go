package e2e

import (
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
			http.Error(w, "chunked", http.StatusLengthRequired)
			return
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
