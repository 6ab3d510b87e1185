package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/template"
)

// site is an installation of claimproxy: what its configuration file says, and
// the running program.
type site struct {
	t   testing.TB
	dir string
	// url is where people go: a name, so that the site and its provider are two
	// sites to a browser, as they are in real life.
	url     string
	idp     *idp
	leaks   leaks
	process *process
	env     []string // more than the tests have

	// config is the file, a template over the fields below.
	config string

	Listen, Dir, Issuer  string
	Prometheus, Recorder string
	// Audiences are values accepted in aud beside client ids.
	Audiences []string
	CacheMax  string
	// Asked is the family of headers by which a proxy in front asks.
	Asked string
	// Session is the flow mapping below session:.
	Session string
	// held is a socket that the program is given as systemd would, by the name web.
	held *os.File
}

// standardConfig is the configuration that most tests run with.
const standardConfig = `
public_url: http://localhost:{{.Port}}
listen: {{.Listen}}
state_dir: {{.Dir}}/state
shutdown_timeout: 5s

providers:
  - id: invent
    name: KDE Invent
    issuer: {{.Issuer}}
    client_id: proxy-web
    client_secret: {file: {{.Dir}}/client-secret}
    user: preferred_username
    clients:
      - client_id: native-public
        redirect_uri: http://127.0.0.1/
      - client_id: native-brief
      - client_id: native-secret
        client_secret: {file: {{.Dir}}/native-secret}
    bearer:
      cache_max: {{.CacheMax}}
      audiences: [{{range $i, $a := .Audiences}}{{if $i}}, {{end}}"{{$a}}"{{end}}]

session: {{.Session}}

policies:
  developers:
    title: KDE developers
    require: groups contains teams/kde-developers
    help: https://community.example.test/ask-for-access

upstreams:
{{- if .Prometheus}}
  prometheus: {url: "{{.Prometheus}}"}
{{- end}}
  recorder: {url: "{{.Recorder}}"}

routes:
  - {path: /receiver/submit/, methods: [GET, POST], upstream: recorder, allow: public}
  - {path: /recorder/, upstream: recorder, allow: developers}
  - {path: /anybody/, upstream: recorder, allow: signed-in}
  - {path: /closed/, upstream: recorder, allow: nobody}
  - {path: /programs/, upstream: recorder, allow: developers, sign_in: bearer}
  - {path: /people/, upstream: recorder, allow: developers, sign_in: browser}
{{- if .Prometheus}}
  - {path: /, upstream: prometheus, allow: developers}
{{- end}}
`

// newSite prepares an installation in front of a provider; it does not start it.
// Tests that differ from the standard set fields or config before start.
func newSite(t testing.TB, p *idp) *site {
	t.Helper()
	port := freePort(t)
	s := &site{
		t: t, dir: t.TempDir(), idp: p,
		url:      fmt.Sprintf("http://localhost:%d", port),
		config:   standardConfig,
		Listen:   loopback(port),
		Issuer:   p.issuer,
		CacheMax: "5m",
		Session:  "{idle: 8h}",
		Recorder: "http://127.0.0.1:9", // nobody there
	}
	s.Dir = s.dir
	s.write("client-secret", "proxy-web-secret")
	s.write("native-secret", "native-secret-secret")
	s.leaks.add("proxy-web-secret", "native-secret-secret")
	p.register(t, "proxy-web", s.url+"/.auth/callback/invent")
	return s
}

// Port is the port of the site.
func (s *site) Port() string { return mustParse(s.t, s.url).Port() }

// write puts a file into the installation's directory.
func (s *site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// writeConfig fills in the configuration and returns the path of the file.
func (s *site) writeConfig() string {
	s.t.Helper()
	return s.write("claimproxy.yaml", s.filledIn())
}

// put puts a file in place at once, as editors and configuration management do.
func (s *site) put(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) filledIn() string {
	s.t.Helper()
	tmpl, err := template.New("claimproxy.yaml").Parse(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := tmpl.Execute(&buf, s); err != nil {
		s.t.Fatal(err)
	}
	return buf.String()
}

// start runs "claimproxy serve" and waits until it answers. When the test ends
// the program is stopped, must end cleanly, and may have logged no secret.
func (s *site) start() *site {
	s.t.Helper()
	file := s.writeConfig()
	var err error
	argv := []string{binary(s.t), "serve", "--config", file}
	var files []*os.File
	if s.held != nil {
		// sd_listen_fds(3): the process that is meant is named by its own number.
		argv = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"`, "sh"}, argv...)
		files = append(files, s.held)
	}
	s.process, err = startProcessWith(files, "claimproxy", s.dir, s.env, argv...)
	if err != nil {
		s.t.Fatal(err)
	}
	p := s.process
	s.t.Cleanup(p.kill)
	p.showOnFailure(s.t)
	if err := p.ready("http://" + s.Listen + "/.auth/style.css"); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.process == p { // and not stopped or restarted by the test
			s.stop()
		}
	})
	return s
}

var crash = regexp.MustCompile(`(?m)^panic: |^goroutine \d+ \[|WARNING: DATA RACE|http: panic serving|superfluous response\.WriteHeader`)

// stop ends the program as a service manager does and looks at what it left.
func (s *site) stop() {
	s.t.Helper()
	if err := s.process.signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	s.ended()
}

// ended waits for the program, which has been asked to end, and looks at what it
// left.
func (s *site) ended() {
	s.t.Helper()
	p := s.process
	s.process = nil
	code, err := p.wait()
	if err != nil {
		s.t.Error(err)
	} else if code != 0 {
		s.t.Errorf("claimproxy after SIGTERM: got exit code %d, want 0", code)
	}
	log := p.out.since(0)
	if m := crash.FindString(log); m != "" {
		s.t.Errorf("claimproxy's log has %q", m)
	}
	s.leaks.wantNone(s.t, "claimproxy's log", log)
}

// restart stops the program and starts it with the same state.
func (s *site) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// browser opens a browser whose secrets may not show up in the log.
func (s *site) browser() *browser {
	s.t.Helper()
	b := newBrowser(s.t)
	s.t.Cleanup(func() { s.learn(b) })
	return b
}

// learn remembers the cookies that a browser holds.
func (s *site) learn(b *browser) {
	for _, c := range b.cookies(s.url) {
		s.leaks.add(c.Value)
	}
}

// native makes a native program of the site's provider.
func (s *site) native(client, resource string) native {
	n := native{t: s.t, idp: s.idp, client: client, resource: resource, leaks: &s.leaks}
	if strings.HasSuffix(client, "-secret") || strings.HasSuffix(client, "-web") {
		n.secret = client + "-secret"
	}
	return n
}

// bearer asks for a path with a token.
func (s *site) bearer(path, token string, headers ...string) *answer {
	s.t.Helper()
	return get(s.t, s.url+path, append(headers, "Authorization: Bearer "+token)...)
}

// sessionCookie returns the session cookie that a browser holds, nil if none.
func (s *site) sessionCookie(b *browser) *http.Cookie {
	for _, c := range b.cookies(s.url) {
		if c.Name == "claimproxy" || c.Name == "__Host-claimproxy" {
			return c
		}
	}
	return nil
}

// problem is the body of a refusal for programs (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	SignInURL string `json:"sign_in_url"`
}

// wantProblem fails the test when the answer is not a problem document with this
// status and one of the codes, or lacks what every answer of claimproxy's own has.
func (a *answer) wantProblem(t testing.TB, status int, codes ...string) problem {
	t.Helper()
	a.wantStatus(t, status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s %s: got Content-Type %q, want application/problem+json", a.method, a.url, got)
	}
	var p problem
	a.decode(t, &p)
	if !slices.Contains(codes, p.Code) || p.Status != status {
		t.Errorf("%s %s: got code %q and status %d, want %q and %d\n%s", a.method, a.url, p.Code, p.Status, codes, status, a.body)
	}
	if p.Title == "" || p.Message == "" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%s %s: got %+v, want a title, a message and the request id %q", a.method, a.url, p, a.header.Get("X-Request-Id"))
	}
	a.wantOwn(t)
	return p
}

// wantOwn fails the test when the answer lacks the headers of claimproxy's own
// answers.
func (a *answer) wantOwn(t testing.TB) {
	t.Helper()
	if got := a.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("%s %s: got Cache-Control %q, want no-store", a.method, a.url, got)
	}
	if got := a.header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("%s %s: got Content-Security-Policy %q, want default-src 'none'", a.method, a.url, got)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: no X-Request-Id", a.method, a.url)
	}
}

// wantChallenge fails the test when the 401 does not begin with a Bearer
// challenge (RFC 6750 section 3), with this error code or, if empty, with none.
func (a *answer) wantChallenge(t testing.TB, code string) {
	t.Helper()
	challenge := a.header.Get("WWW-Authenticate")
	if !strings.HasPrefix(challenge, "Bearer ") || !strings.Contains(challenge, `resource_metadata="`) {
		t.Errorf("%s %s: got WWW-Authenticate %q, want Bearer with resource_metadata", a.method, a.url, challenge)
	}
	want := `error="` + code + `"`
	if code == "" {
		if strings.Contains(challenge, "error=") {
			t.Errorf("%s %s: got WWW-Authenticate %q, want no error code when no token came", a.method, a.url, challenge)
		}
	} else if !strings.Contains(challenge, want) {
		t.Errorf("%s %s: got WWW-Authenticate %q, want %s", a.method, a.url, challenge, want)
	}
}
