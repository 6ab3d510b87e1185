package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// cage is a site in which everything that is secret is known, and everything that leaves
// the program is looked at.
type cage struct {
	*changing
	admin string
	app   *recorder
	otlp  *gathered
	// never are the secrets that are in no answer at all, not even in a cookie or on the way
	// to the provider: tokens, and the program's own.
	never leaks
	redis *redisProcess // nil: sessions are in a file

	mu    sync.Mutex
	pages []*answer // of claimproxy's own
}

// gathered is what a collector of traces gets.
type gathered struct {
	mu   sync.Mutex
	text strings.Builder
}

func (g *gathered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	io.Copy(&g.text, r.Body)
	fmt.Fprintf(&g.text, "%v\n", r.Header)
}

func newCage(t *testing.T, inRedis bool) *cage {
	t.Helper()
	c := &cage{changing: newChanging(t), admin: loopback(freePort(t)), app: newRecorder(t), otlp: new(gathered)}
	c.Recorder = c.app.url
	collector := httptest.NewServer(c.otlp)
	t.Cleanup(collector.Close)
	c.write("client-secret", "canary-client-secret-0123456789")
	c.leaks.add("canary-client-secret-0123456789")
	c.provider.SetClient(devprovider.Client{ID: "proxy-web", Secret: "canary-client-secret-0123456789", RedirectURIs: []string{c.url + "/.auth/callback/invent"}})
	c.ada = c.provider.Issue("ada", "proxy-web", "openid profile").AccessToken
	c.bob = c.provider.Issue("bob", "proxy-web", "openid profile").AccessToken
	c.secret("canary-client-secret-0123456789", c.ada, c.bob)
	c.provider.Rewrite(devprovider.TokenReply, func(reply map[string]any) {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			text, _ := reply[name].(string)
			c.secret(text)
		}
	})
	keeping := "{recheck: 1s, grace: 1s}"
	if inRedis {
		own := freshSecret(t, c.site)
		c.write("session-secret", own)
		c.secret(strings.TrimSpace(own), redisPassword)
		c.redis = newRedis(t, c.site)
		keeping = c.redis.session(c.site, ", recheck: 1s, grace: 1s")
	}
	c.config = changingConfig + fmt.Sprintf(`  - {path: /forwarding/, upstream: recorder, allow: developers, forward_token: true}
  - {path: /forwarding-away/, upstream: "http://127.0.0.1:9", allow: developers, forward_token: true}
  - {path: /away/, upstream: "http://127.0.0.1:9", allow: signed-in}
  - {path: /asserting/, upstream: recorder, allow: developers, assertion: true}
  - {path: /asserting-away/, upstream: "http://127.0.0.1:9", allow: developers, assertion: true}
admin: {listen: %q, pprof: true}
compat: [oauth2-proxy]
audit: {file: "{{.Dir}}/audit.log"}
tracing: {endpoint: %q}
session: %s
`, c.admin, collector.URL, keeping)
	// Routes come before the tests, which stand last in what both share.
	before, tests, _ := strings.Cut(c.config, "tests:\n")
	i := strings.Index(tests, "  - {path: /forwarding/")
	c.config = before + tests[i:strings.Index(tests, "admin:")] + "tests:\n" + tests[:i] + tests[strings.Index(tests, "admin:"):]
	return c
}

// secret remembers secrets that are in no answer at all.
func (c *cage) secret(secrets ...string) {
	c.leaks.add(secrets...)
	c.never.add(secrets...)
}

// saw keeps an answer of claimproxy's own.
func (c *cage) saw(a *answer) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.HasPrefix(a.url.String(), c.url) && !strings.HasPrefix(a.body, `{"method":`) { // the recorder's
		c.pages = append(c.pages, a)
	}
	return a
}

// signIn signs somebody in, step by step, and learns every code, state and cookie on the
// way.
func (c *cage) signIn(who string) *browser {
	c.t.Helper()
	c.provider.SignInAs(who)
	b := c.browser()
	a := c.saw(b.visit(c.url + "/developers/page?canary=query-0123456789"))
	for range 12 {
		to := a.location()
		if to == nil {
			break
		}
		for _, name := range []string{"code", "state", "nonce", "code_challenge"} {
			c.leaks.add(to.Query().Get(name))
		}
		c.learn(b)
		a = c.saw(b.follow(a))
	}
	c.learn(b)
	return b
}

// quoting is a handler that fails and quotes everything that it was sent.
func quoting(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		what, _ := json.Marshal(map[string]any{
			"error": code, "error_description": fmt.Sprint(r.Header, r.PostForm), "error_uri": r.Header.Get("Authorization"), "sub": r.Header.Get("Authorization"),
		})
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("WWW-Authenticate", `Bearer error="`+r.Header.Get("Authorization")+`"`)
		w.WriteHeader(status)
		w.Write(what)
	}
}

// TestNothingSecretLeavesTheProgram: marked tokens, codes, cookies and secrets are sent
// along every way, errors included, and looked for in the log, the audit log, the metrics,
// the traces, claimproxy's own pages and what the application gets.
func TestNothingSecretLeavesTheProgram(t *testing.T) {
	t.Parallel()
	for name, inRedis := range map[string]bool{"sessions in a file": false, "sessions in Redis": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nothingSecretLeaves(t, newCage(t, inRedis))
		})
	}
}

func nothingSecretLeaves(t *testing.T, c *cage) {
	c.start()
	if c.redis == nil {
		secret, err := os.ReadFile(filepath.Join(c.dir, "state", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		c.secret(strings.TrimSpace(string(secret)))
	}
	c.leaks.add("query-0123456789")

	// What goes well.
	ada := c.signIn("ada")
	c.app.lastWas(t, "/developers/page?canary=query-0123456789")
	bob := c.signIn("bob")
	c.saw(c.bearer("/developers/x?canary=query-0123456789", c.ada))
	c.saw(ada.visit(c.url + "/.auth/me"))
	c.saw(ada.fetch(http.MethodGet, c.url+"/.auth/me", "Accept: application/json"))
	c.saw(bob.visit(c.url + "/developers/"))
	for _, path := range []string{"/forwarding/x", "/forwarding-away/x", "/asserting/x", "/asserting-away/x"} {
		c.saw(c.bearer(path, c.ada))
		c.saw(c.bearer(path, c.bob))
		c.saw(ada.visit(c.url + path))
	}

	// What strangers and broken programs send.
	const forged = "canary-forged-0123456789"
	c.leaks.add(forged)
	for _, headers := range [][]string{
		{"Authorization: Bearer " + forged}, {"Authorization: Bearer " + c.ada + forged}, {"Authorization: Bearer eyJhbGciOiJub25lIn0.e30." + forged},
		{"Authorization: Basic " + forged}, {"Authorization: Bearer " + c.bob}, {"Authorization: Bearer " + c.ada, "Authorization: Bearer " + forged},
		{"Cookie: claimproxy=" + forged}, {"Cookie: claimproxy=" + c.sessionCookie(ada).Value + "x"}, {"Authorization: " + forged},
		{"X-Forwarded-User: " + forged}, {"Authorization: Bearer " + c.ada, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: " + forged},
	} {
		for _, path := range []string{"/developers/", "/public/", "/closed/", "/away/", "/forwarding/", "/forwarding-away/", "/asserting/", "/nowhere", "/.auth/me", "/.auth/check", "/%2e%2e/x", "/oauth2/auth", "/oauth2/userinfo"} {
			c.saw(get(t, c.url+path+"?access_token="+forged+"&code="+forged, headers...))
		}
	}
	for _, path := range []string{
		"/.auth/callback/invent?code=" + forged + "&state=" + forged, "/.auth/callback/invent?error=" + forged + "&error_description=" + forged,
		"/.auth/start/invent?return_to=" + url.QueryEscape("https://elsewhere.example/?t="+forged), "/.auth/sign-in?return_to=//" + forged,
		"/.auth/callback/nobody?code=" + forged, "/.auth/frontchannel-logout/invent?sid=" + forged + "&iss=" + forged,
		"/oauth2/start?rd=https://elsewhere.example/" + forged, "/oauth2/sign_in", "/oauth2/sign_out", "/oauth2/userinfo", "/oauth2/auth?allowed_groups=" + forged,
	} {
		c.saw(ada.visit(c.url + path))
	}
	c.saw(postForm(t, c.url+"/.auth/backchannel-logout/invent", url.Values{"logout_token": {c.ada}}))
	c.saw(postForm(t, c.url+"/.auth/backchannel-logout/invent", url.Values{"logout_token": {forged}}))
	c.saw(postForm(t, c.url+"/developers/form", url.Values{"password": {forged}}))

	// What providers answer who quote everything.
	for _, status := range []int{400, 401, 403, 500, 200} {
		for _, e := range []devprovider.Endpoint{devprovider.Token, devprovider.UserInfo, devprovider.Introspection, devprovider.TokenInfo, devprovider.KeySet, devprovider.Discovery} {
			c.provider.Override(e, quoting(status, "invalid_grant"))
		}
		token := c.provider.Issue("ada", "proxy-web", "openid").AccessToken
		c.secret(token)
		c.saw(c.bearer("/developers/", token))
		c.saw(c.bearer("/developers/", forged+fmt.Sprint(status)))
		c.signIn("ada")
		c.saw(ada.visit(c.url + "/developers/"))
	}
	c.provider.Restore()

	// What those do who run it.
	from := c.process.out.size()
	c.put("claimproxy.yaml", c.replaced(fmt.Sprintf("{file: %q}", filepath.Join(c.dir, "client-secret")), "[canary-client-secret-0123456789]"))
	if err := c.process.signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the broken file is refused", func() bool { return strings.Contains(c.process.out.since(from), notLoaded) })
	c.writeConfig()
	c.learnAssertions(t)
	c.wantNothingToldToAdmins(t)
	metrics := get(t, "http://"+c.admin+"/metrics").wantStatus(t, http.StatusOK).body
	sessions := get(t, "http://"+c.admin+"/sessions?sub=1").wantStatus(t, http.StatusOK).body
	for _, b := range []*browser{ada, bob} {
		c.saw(b.visit(c.url + "/.auth/sign-out"))
	}
	if err := c.process.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p := c.process
	c.ended() // which looks through the log

	audit, err := os.ReadFile(filepath.Join(c.dir, "audit.log"))
	if err != nil || len(audit) == 0 {
		t.Fatalf("the audit log is empty (%v)", err)
	}
	c.leaks.wantNone(t, "the log", p.out.since(0))
	c.leaks.wantNone(t, "the audit log", string(audit))
	c.leaks.wantNone(t, "the metrics", metrics)
	c.leaks.wantNone(t, "the list of sessions", sessions)
	c.otlp.mu.Lock()
	traces := c.otlp.text.String()
	c.otlp.mu.Unlock()
	if !strings.Contains(traces, "claimproxy.decision") {
		t.Error("no traces were delivered")
	}
	c.leaks.wantNone(t, "the traces", traces)
	c.wantNothingKept(t)
	c.app.mu.Lock()
	c.wantForwarded(t)
	arrivals, err := json.Marshal(c.app.seen)
	c.app.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.leaks.secrets); n < 40 {
		t.Errorf("%d secrets were learned on the way, want at least 40", n)
	}
	// The links of a page lead the person back to what they had asked for.
	c.leaks.forget("query-0123456789")
	for _, page := range c.pages {
		where := fmt.Sprintf("the answer %d to %s %s", page.status, page.method, page.url.Path)
		c.leaks.wantNone(t, where, page.body)
		for name, values := range page.header {
			secrets := &c.leaks
			switch name {
			case "Set-Cookie", "Location", "Refresh":
				secrets = &c.never // what the browser keeps, or takes along to where it is led
			}
			secrets.wantNone(t, "the field "+name+" of "+where, strings.Join(values, "\n"))
		}
	}
	// Queries are forwarded byte for byte, and so are schemes that are no business of
	// claimproxy's.
	c.leaks.forget(forged)
	c.leaks.wantNone(t, "what the application got", string(arrivals))
	if len(c.pages) < 100 {
		t.Errorf("%d answers were looked at, want at least 100", len(c.pages))
	}
}

// learnAssertions learns the assertions that the application got, which nobody else does.
func (c *cage) learnAssertions(t *testing.T) {
	t.Helper()
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	n := 0
	for _, a := range c.app.seen {
		if signed := a.Header.Get("X-Claimproxy-Assertion"); signed != "" {
			if !strings.HasPrefix(a.URI, "/asserting/") {
				t.Errorf("an assertion came along with %s", a.URI)
			}
			a.Header.Del("X-Claimproxy-Assertion")
			c.secret(signed)
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d assertions were made", n)
	}
}

// wantNothingToldToAdmins looks at what commands print, and at what the admin listener
// says beside the metrics.
func (c *cage) wantNothingToldToAdmins(t *testing.T) {
	t.Helper()
	file := filepath.Join(c.dir, "claimproxy.yaml")
	token := c.write("token", c.ada)
	var lines []decided
	eventually(t, patience, "decisions are written down", func() bool { lines = auditLines(t, filepath.Join(c.dir, "audit.log")); return len(lines) > 100 })
	commands := [][]string{
		{"check", "--config", file}, {"check", "--json", "--config", file},
		{"check", "--live", "--token", token, "--config", file}, {"check", "--live", "--json", "--token", token, "--config", file},
		{"explain", "GET", c.url + "/developers/", "--json", "--claims", `{"groups":[]}`, "--config", file},
		{"sessions", "list", "--sub", "1", "--admin", "http://" + c.admin},
	}
	for _, i := range []int{0, 1, len(lines) / 2, len(lines) - 1} {
		commands = append(commands, []string{"audit", "explain", lines[i].RequestID, "--config", file}, []string{"audit", "explain", lines[i].RequestID, "--json", "--config", file})
	}
	for _, args := range commands {
		got := runClaimproxy(t, c.dir, args...)
		if got.code == 2 || got.stdout == "" {
			t.Errorf("claimproxy %v: got %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
		c.leaks.wantNone(t, "what claimproxy "+strings.Join(args[:2], " ")+" prints", got.stdout+got.stderr)
	}
	for _, path := range []string{"/readyz", "/healthz", "/nowhere", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1"} {
		c.leaks.wantNone(t, "the admin listener's "+path, get(t, "http://"+c.admin+path).body)
	}
}

// wantForwarded looks at what the application got where a token is forwarded: that token,
// as it came, and nobody's cookie. It then takes those fields away, so that what is left
// can be looked through like everything else. The caller holds the application's lock.
func (c *cage) wantForwarded(t *testing.T) {
	t.Helper()
	tokens, people := 0, 0
	for _, a := range c.app.seen {
		if !strings.HasPrefix(a.URI, "/forwarding/") {
			continue
		}
		switch field := a.Header.Get("Authorization"); field {
		case "Bearer " + c.ada:
			tokens++
			a.Header.Del("Authorization")
		case "":
			people++
		default:
			t.Errorf("the application got another token than was sent: %.20s", field)
		}
	}
	if tokens == 0 || people == 0 {
		t.Errorf("%d requests were forwarded with a token and %d without", tokens, people)
	}
}

// wantNothingKept looks through everything that the program has left on disks, or in
// Redis, which has written every command down that it was sent.
func (c *cage) wantNothingKept(t *testing.T) {
	t.Helper()
	dir := filepath.Join(c.dir, "state")
	if c.redis != nil {
		c.redis.stop(t)
		dir = c.redis.dir
	}
	size := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || path == filepath.Join(c.dir, "state", "secret") {
			return err
		}
		kept, err := os.ReadFile(path)
		size += len(kept)
		c.leaks.wantNone(t, path, string(kept))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if size < 1000 {
		t.Errorf("%d bytes were kept, which is no session", size)
	}
}

// forget takes a secret out of those that are looked for.
func (l *leaks) forget(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.secrets {
		if strings.Contains(s, secret) {
			delete(l.secrets, s)
		}
	}
}

// lastWas fails the test when the last request that arrived had another target.
func (r *recorder) lastWas(t testing.TB, uri string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 || r.seen[len(r.seen)-1].URI != uri {
		t.Errorf("the application did not get %s at last, of %d requests", uri, len(r.seen))
	}
}
