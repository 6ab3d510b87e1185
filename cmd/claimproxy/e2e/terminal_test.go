package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// terminal is where a person types commands, on a machine of their own: with a home
// directory, a browser that they look at, and perhaps a keyring.
type terminal struct {
	t    testing.TB
	home string
	env  []string
	// patience is how long a program may take.
	patience time.Duration
}

// newTerminal makes a machine without a keyring.
func newTerminal(t testing.TB) *terminal {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	// The browser: the test looks for what it was asked to open.
	open := "#!/bin/sh\nprintf '%s' \"$1\" > \"$HOME/opened.new\" && mv \"$HOME/opened.new\" \"$HOME/opened\"\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(open), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary(t), filepath.Join(bin, "claimproxy")); err != nil {
		t.Fatal(err)
	}
	return &terminal{t: t, home: home, patience: patience, env: buildEnvironment(
		"HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(home, "no-bus"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	)}
}

// command is a program that is typed in.
func (m *terminal) command(args ...string) *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "claimproxy" {
		cmd = exec.Command(binary(m.t), args[1:]...)
	}
	cmd.Dir, cmd.Env, cmd.WaitDelay = m.home, m.env, patience
	return cmd
}

// try runs a program to its end, with this on its standard input.
func (m *terminal) try(input string, args ...string) ran {
	m.t.Helper()
	cmd := m.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	kill := time.AfterFunc(m.patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%v: %v", args, err)
	}
	return ran{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// run is try for a program that has to succeed; it returns what it printed.
func (m *terminal) run(args ...string) string {
	m.t.Helper()
	got := m.try("", args...)
	if got.code != 0 {
		m.t.Fatalf("%s: got exit code %d\n%s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// login runs "claimproxy login" while a person signs in with the browser, and returns what
// they were told.
func (m *terminal) login(s *site, who person, args ...string) string {
	m.t.Helper()
	return m.loginUntil(m.loginLine(s, args), func(out *output) bool {
		address, err := os.ReadFile(filepath.Join(m.home, "opened"))
		// It is printed too, for those who have no browser here; who reads that may be slower.
		if err != nil || len(address) == 0 || !strings.Contains(out.since(0), string(address)) {
			return false
		}
		b := newBrowser(m.t)
		a := b.follow(b.atProvider(b.visit(string(address)), s.idp, who, true))
		a.wantStatus(m.t, http.StatusOK).wantText(m.t, "go back to the terminal")
		return true
	})
}

// loginLine is what a person types to sign in at a site.
func (m *terminal) loginLine(s *site, args []string) string {
	return strings.Join(append([]string{"claimproxy login", s.url + "/recorder/"}, args...), " ")
}

// loginUntil runs a line that signs in, and calls step until that has done what a person does.
func (m *terminal) loginUntil(line string, step func(*output) bool) string {
	m.t.Helper()
	_ = os.Remove(filepath.Join(m.home, "opened"))
	var out output
	cmd := m.command("sh", "-c", "exec "+line)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	ended := false
	var err error
	stepped := false
	for deadline := time.Now().Add(patience); !ended; {
		select {
		case err = <-done:
			ended = true
		case <-time.After(20 * time.Millisecond):
			stepped = stepped || step(&out)
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
			}
		}
	}
	if err != nil || !stepped {
		m.t.Fatalf("claimproxy login: %v\n%s", err, out.since(0))
	}
	return out.since(0)
}

// token is what "claimproxy token" prints.
func (m *terminal) token(s *site) string {
	m.t.Helper()
	token := strings.TrimSuffix(m.run("claimproxy", "token", s.url), "\n")
	if token == "" || strings.ContainsAny(token, " \n") {
		m.t.Fatalf("got the token %q", token)
	}
	s.leaks.add(token)
	return token
}

func TestAProgramOnAPersonsMachineSignsIn(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		if setup.jwt() {
			s.config = strings.Replace(s.config, "    clients:\n", "    authorize_params: {resource: \""+setup.resource+"\"}\n    clients:\n", 1)
		}
		s.start()
		m := newTerminal(t)
		if got := m.try("", "claimproxy", "token", s.url); got.code != 1 || !strings.Contains(got.stderr, "claimproxy login "+s.url) || got.stdout != "" {
			t.Errorf("before signing in: got %+v", got)
		}
		told := m.login(s, people()["alice"])
		if !strings.Contains(told, "signs people in with KDE Invent") || !strings.Contains(told, "readable by you alone: no keyring takes it") {
			t.Errorf("got\n%s", told)
		}
		token := m.token(s)
		if again := m.token(s); again != token {
			t.Error("a good token was renewed")
		}
		s.leaks.wantNone(t, "what login printed", told)
		if got := s.bearer("/recorder/", token).arrival(t); got.Header.Get("X-Forwarded-User") != "alice" {
			t.Errorf("the application was told of %v", got.Header)
		}
		var doc struct {
			Token   string    `json:"access_token"`
			Type    string    `json:"token_type"`
			Expires time.Time `json:"expires_at"`
			In      int       `json:"expires_in"`
		}
		if err := json.Unmarshal([]byte(m.run("claimproxy", "token", "--json", s.url)), &doc); err != nil || doc.Token != token || doc.Type != "Bearer" || doc.In < 60 || time.Until(doc.Expires) < time.Minute {
			t.Errorf("got %+v, %v", doc, err)
		}
		files, err := filepath.Glob(filepath.Join(m.home, "config", "claimproxy", "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("got %v, %v", files, err)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, %v", info.Mode(), err)
		}

		// A token that was refused is renewed before the next use.
		m.try("protocol=http\nhost="+strings.TrimPrefix(s.url, "http://")+"\npassword="+token+"\n\n", "claimproxy", "git-credential", "erase")
		renewed := m.token(s)
		if renewed == token {
			t.Error("a token that was refused is offered again")
		}
		s.bearer("/recorder/", renewed).wantStatus(t, http.StatusOK)
		token = renewed

		m.run("claimproxy", "logout", s.url)
		if got := m.try("", "claimproxy", "token", s.url); got.code != 1 {
			t.Errorf("after signing out: got %+v", got)
		}
		if !setup.jwt() {
			(native{t: t, idp: s.idp}).userinfo(token).wantStatus(t, http.StatusUnauthorized)
		}
	})
}

// TestTwoTerminalsAtOnceDoNotLoseTheToken: both providers rotate refresh tokens, and the one
// takes everything back when an old one comes.
func TestTwoTerminalsAtOnceDoNotLoseTheToken(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		// Its access tokens are so short-lived that each is renewed.
		s.config = strings.Replace(s.config, "      - client_id: native-brief\n", "", 1)
		s.config = strings.Replace(s.config, "client_id: native-public", "client_id: native-brief", 1)
		s.start()
		m := newTerminal(t)
		m.login(s, people()["alice"])
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if got := m.try("", "claimproxy", "token", s.url); got.code != 0 {
					t.Errorf("got %+v", got)
				} else {
					s.leaks.add(strings.TrimSpace(got.stdout))
				}
			})
		}
		all.Wait()
		s.bearer("/recorder/", m.token(s)).wantStatus(t, http.StatusOK)
	})
}

func TestAPersonSignsInOnAnotherDevice(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	m := newTerminal(t)
	m.loginUntil(m.loginLine(s, []string{"--device"}), func(out *output) bool {
		lines := strings.Fields(out.since(0))
		at := -1
		for i, word := range lines {
			if strings.HasPrefix(word, s.idp.issuer+"/device") {
				at = i
			}
		}
		if at < 0 || len(lines) < at+7 {
			return false
		}
		code := lines[len(lines)-1]
		b := newBrowser(t)
		a := b.visit(lines[at])
		a = b.submit(a, a.forms()[0], map[string]string{"user_code": code})
		a = b.submit(a, a.forms()[0], nil)
		b.atProvider(a, s.idp, people()["alice"], true).wantText(t, "Go back to your device")
		return true
	})
	s.bearer("/recorder/", m.token(s)).wantStatus(t, http.StatusOK)
}

func TestCurlIsGivenATokenThatNobodySees(t *testing.T) {
	t.Parallel()
	need(t, shellAndCurl)
	s := setups[1].site(t)
	arrived, goOn := make(chan string, 10), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/recorder/away" {
			http.Redirect(w, r, "http://localhost:"+r.URL.RawQuery+"/", http.StatusFound)
			return
		}
		arrived <- r.Header.Get("X-Forwarded-User")
		<-goOn
		fmt.Fprint(w, "an answer")
	}))
	t.Cleanup(upstream.Close)
	s.Recorder = upstream.URL
	s.start()
	m := newTerminal(t)
	m.login(s, people()["alice"])
	token := m.token(s)
	done := make(chan ran, 1)
	go func() { done <- m.try("", "claimproxy", "curl", "-sS", s.url+"/recorder/") }()
	if who := <-arrived; who != "alice" {
		t.Errorf("the application was told of %q", who)
	}
	seen := false
	for _, file := range globs(t, "/proc/[0-9]*/cmdline") {
		data, _ := os.ReadFile(file) // it may have ended
		seen = seen || bytes.Contains(data, []byte("curl")) && bytes.Contains(data, []byte(s.url+"/recorder/"))
		if bytes.Contains(data, []byte(token)) {
			t.Errorf("the token is among the arguments of a program: %q", bytes.ReplaceAll(data, []byte(token), []byte("TOKEN")))
		}
	}
	if !seen && len(globs(t, "/proc/self/cmdline")) == 1 {
		t.Error("curl was not found running")
	}
	close(goOn)
	if got := <-done; got.code != 0 || got.stdout != "an answer" {
		t.Errorf("got %+v", got)
	}
	// Elsewhere it does not go, neither at once nor by a detour, and curl's own exit code
	// is kept.
	other := newRecorder(t)
	if got := m.try("", "claimproxy", "curl", s.url+"/recorder/", other.url+"/"); got.code != 2 || !strings.Contains(got.stderr, "another place") {
		t.Errorf("got %+v", got)
	}
	away := s.url + "/recorder/away?" + mustParse(t, other.url).Port()
	if got := m.try("", "claimproxy", "curl", "-L", away); got.code != 2 || !strings.Contains(got.stderr, "follow redirects") {
		t.Errorf("got %+v", got)
	}
	if err := os.WriteFile(filepath.Join(m.home, ".curlrc"), []byte("location\nlocation-trusted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := m.try("", "claimproxy", "curl", "-s", "-w", "%{http_code}", "-o", "/dev/null", away); got.stdout != "302" || other.count() != 0 {
		t.Errorf("got %+v, and %d requests elsewhere", got, other.count())
	}
	if got := m.try("", "claimproxy", "curl", "-s", "--fail", s.url+"/closed/"); got.code != 22 {
		t.Errorf("got %+v, want curl's exit code", got)
	}
}

func globs(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
