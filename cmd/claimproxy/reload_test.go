package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// edit changes the configuration as an editor does: a new file is put in place of the
// old one.
func (r *running) edit(old, new string) {
	r.t.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	changed := strings.Replace(string(text), old, new, 1)
	if changed == string(text) {
		r.t.Fatalf("%q is not in\n%s", old, text)
	}
	if err := os.WriteFile(r.file+".new", []byte(changed), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.file+".new", r.file); err != nil {
		r.t.Fatal(err)
	}
}

// told waits for the log to say something n times.
func (r *running) told(n int, what string) {
	r.t.Helper()
	eventually(r.t, "the log says "+what, func() bool { return strings.Count(r.stderr.String(), what) >= n })
}

const (
	loadedAgain = `"msg":"the configuration was loaded again"`
	notLoaded   = `"msg":"the configuration was not loaded again; the one that is at work stays"`
)

func (r *running) wantStatus(path string, want int) {
	r.t.Helper()
	if got, body := r.ask("GET", r.public+path); got != want {
		r.t.Errorf("%s: got %d, want %d\n%s", path, got, want, body)
	}
}

func (r *running) wantMetric(line string) {
	r.t.Helper()
	if _, all := r.ask("GET", r.admin+"/metrics"); !strings.Contains(all, "\n"+line) {
		r.t.Errorf("the metrics lack %s", line)
	}
}

// wantReady asks /readyz, whose answer is to have parts like these in it.
func (r *running) wantReady(want int, parts ...string) {
	r.t.Helper()
	status, body := r.ask("GET", r.admin+"/readyz")
	if status != want {
		r.t.Errorf("readyz: got %d, want %d: %s", status, want, body)
	}
	for _, part := range parts {
		if !strings.Contains(body, part) {
			r.t.Errorf("readyz: got %s, want %s in it", body, part)
		}
	}
}

// TestAnEditedFileIsAtWorkAtOnce: a right that is taken away is gone, with the token that
// had it a moment ago, and nobody is asked about that again.
func TestAnEditedFileIsAtWorkAtOnce(t *testing.T) {
	r := start(t, echo, adminKey, routes)
	r.signIn("ada")
	r.wantStatus("/closed", 200)
	r.edit("developers: groups contains teams/a", "developers: groups contains teams/none")
	r.told(1, loadedAgain)
	r.wantStatus("/closed", 403)
	r.edit("developers: groups contains teams/none", "developers: groups contains teams/a")
	r.told(2, loadedAgain)
	r.wantStatus("/closed", 200)
	for _, e := range []devprovider.Endpoint{devprovider.Discovery, devprovider.KeySet, devprovider.UserInfo} {
		if n := r.provider.Calls(e); n > 1 {
			t.Errorf("%s was asked %d times", e, n)
		}
	}
	r.wantMetric("claimproxy_config_last_reload_successful 1\n")
	r.wantMetric(`claimproxy_config_reloads_total{result="ok"} 3` + "\n")
	r.stop()
}

// TestAFaultyFileChangesNothing, whatever is wrong with it, and the log has the line.
func TestAFaultyFileChangesNothing(t *testing.T) {
	for name, test := range map[string]struct{ old, new, says string }{
		"a syntax error": {"providers:", "providers: [", `"level":"ERROR","msg":"configuration: `},
		"an unknown key": {"policies:", "polices:", `unknown key \"polices\"`},
		"a test that fails": {"policies:", "tests: [{request: GET /closed, expect: allow}]\npolicies:",
			`"msg":"configuration: GET /closed as nobody: expected allow, got sign-in`},
		"a secret that is gone": {"s3cr3t-of-web", "{file: gone}", "the secret cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, echo, adminKey, routes)
			_, before := r.ask("GET", r.admin+"/metrics")
			r.edit(test.old, test.new)
			r.told(1, notLoaded)
			if log := r.stderr.String(); !strings.Contains(log, test.says) || !strings.Contains(log, `"line":`) {
				t.Errorf("the log does not say %s:\n%s", test.says, log)
			}
			r.wantStatus("/closed", 401)
			r.wantStatus("/open/", 200)
			r.wantMetric("claimproxy_config_last_reload_successful 0\n")
			r.wantReady(200, `"configuration":{"ready":true,"why":"the files as they were at `)
			r.wantMetric(lineOf(before, "claimproxy_config_last_reload_success_timestamp_seconds"))
			r.edit(test.new, test.old)
			r.told(1, loadedAgain)
			r.wantMetric("claimproxy_config_last_reload_successful 1\n")
			r.wantReady(200, `"configuration":{"ready":true},`)
			r.stop()
		})
	}
}

func lineOf(text, begin string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin+" ") {
			return line
		}
	}
	return "no " + begin
}

// TestACircleIsRecognisedOverConfigurations: somebody who looks for what is wrong edits the
// file again and again.
func TestACircleIsRecognisedOverConfigurations(t *testing.T) {
	r := start(t, echo, "", routes)
	const circle = `"msg":"a browser goes round in circles","because":"it comes back without any cookie"`
	for i := range 3 {
		if strings.Contains(r.stderr.String(), circle) {
			t.Errorf("after %d times it is called a circle", i)
		}
		if status, body := r.ask("GET", r.public+"/.auth/callback/idp?state=0123456789abcdefghijkl&code=x"); status != 400 {
			t.Errorf("got %d %s", status, body)
		}
		r.edit("policies:", "# a remark\npolicies:")
		r.told(i+1, loadedAgain)
	}
	r.told(1, circle)
	r.stop()
}

// TestASecretFileIsLoadedAgain: when the provider has another secret for the client, opaque
// tokens cannot be asked about until the file has it too.
func TestASecretFileIsLoadedAgain(t *testing.T) {
	r := start(t, echo, "", routes)
	put(t, r.dir+"/secret", "s3cr3t-of-web")
	r.edit("client_secret: s3cr3t-of-web", "client_secret: {file: secret}")
	r.told(1, loadedAgain)
	const another = "another s3cr3t of web"
	r.provider.SetClient(devprovider.Client{ID: "web", Secret: another})
	r.provider.Override(devprovider.TokenInfo, devprovider.Answer(503, "text/plain", "")) // which would do instead
	r.signIn("ada")
	r.wantStatus("/closed", 503)
	put(t, r.dir+"/secret", another)
	r.told(2, loadedAgain)
	r.wantStatus("/closed", 200)
	if strings.Contains(r.stderr.String(), another) {
		t.Error("the secret is in the log")
	}
	r.stop()
}

// TestWhatCannotChangeIsSaidAndStays, and everything else of the file is at work.
func TestWhatCannotChangeIsSaidAndStays(t *testing.T) {
	r := start(t, echo, adminKey, routes)
	r.edit("listen: 127.0.0.1:0", "listen: 127.0.0.1:1\nshutdown_timeout: 7s")
	r.edit(adminKey, "audit: {file: audit.log}")
	r.edit("{path: /open/, upstream: app, allow: public}", "{path: /open/, upstream: app, allow: nobody}")
	r.told(1, loadedAgain)
	eventually(t, "the route is closed", func() bool { status, _ := r.ask("GET", r.public+"/open/"); return status == 403 })
	for _, key := range []string{`"key":"listen"`, `"key":"audit"`, `"key":"admin"`} {
		if !strings.Contains(r.stderr.String(), key) {
			t.Errorf("nothing is said about %s", key)
		}
	}
	if _, err := os.Stat(r.dir + "/audit.log"); err == nil {
		t.Error("the audit log was opened")
	}
	r.stop()
	if !strings.Contains(r.stderr.String(), `"at_most":"7s"`) {
		t.Error("the new shutdown_timeout is not used")
	}
}

// TestARequestThatIsUnderWayIsNotCutOff by a configuration that takes over, even one in
// which its upstream is not there any more.
func TestARequestThatIsUnderWayIsNotCutOff(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	app := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/open/slow" {
			close(arrived)
			<-goOn
		}
		echo(w, r)
	}
	r := start(t, app, "", routes)
	type result struct {
		status int
		body   string
	}
	got := make(chan result, 1)
	go func() {
		status, body := r.ask("GET", r.public+"/open/slow")
		got <- result{status, body}
	}()
	<-arrived
	r.edit("  - {path: /open/, upstream: app, allow: public}", "")
	r.told(1, loadedAgain)
	r.wantStatus("/open/slow", 401)
	close(goOn)
	if g := <-got; g.status != 200 || g.body != "the application: /open/slow" {
		t.Errorf("got %d %q", g.status, g.body)
	}
	r.stop()
}

// TestStreamsEndWithTheRightThatTheyWereOpenedBy: a new configuration that takes it away
// ends them at once, and one that does not lets them be.
func TestStreamsEndWithTheRightThatTheyWereOpenedBy(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "data: x\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	r := start(t, app, "", routes)
	r.signIn("ada")
	open := func(path string) io.Reader {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.public+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		req.Header.Set("Authorization", "Bearer "+r.token)
		req.Header.Set("Accept", "text/event-stream")
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res.Body
	}
	goesOn := func(stream io.Reader) {
		t.Helper()
		if _, err := io.ReadFull(stream, make([]byte, 30)); err != nil {
			t.Fatal(err)
		}
	}
	closed, public := open("/closed"), open("/open/")
	goesOn(closed)
	goesOn(public)
	r.edit("developers: groups contains teams/a", "developers: groups contains any of [teams/a, teams/b]")
	r.told(1, loadedAgain)
	goesOn(closed)
	r.edit("developers: groups contains any of [teams/a, teams/b]", "developers: groups contains teams/none")
	r.told(2, loadedAgain)
	if _, err := io.Copy(io.Discard, closed); err == nil {
		t.Error("the stream ended as if it were whole")
	}
	goesOn(public)
	r.edit("{path: /open/, upstream: app, allow: public}", "{path: /open/, upstream: app, allow: nobody}")
	r.told(3, loadedAgain)
	if _, err := io.Copy(io.Discard, public); err == nil {
		t.Error("the public stream ended as if it were whole")
	}
	r.stop()
}
