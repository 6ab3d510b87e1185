package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/doctor"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// live runs the doctor beside a claimproxy that serves, and returns what it says.
func (r *running) live(args ...string) (code int, text string) {
	r.t.Helper()
	code, stdout, stderr := command(r.t, append([]string{"check", "--live", "-c", r.file}, args...)...)
	if strings.Contains(stdout+stderr, "s3cr3t-of-web") {
		r.t.Errorf("the secret is printed:\n%s%s", stdout, stderr)
	}
	return code, stdout
}

// sick starts a claimproxy at a public_url that is its own address, so that the doctor
// finds it there.
func sick(t *testing.T) *running {
	t.Helper()
	r := start(t, echo, "", routes)
	r.provider.SetClient(devprovider.Client{
		ID: "web", Secret: "s3cr3t-of-web", RedirectURIs: []string{r.public + "/.auth/callback/idp"},
	})
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "public_url: http://localhost", "public_url: "+r.public, 1)
	changed = strings.Replace(changed, "client_secret: s3cr3t-of-web}", "client_secret: {file: secret}}", 1)
	put(t, filepath.Join(r.dir, "secret"), "s3cr3t-of-web")
	r.file = filepath.Join(r.dir, "other.yaml")
	put(t, r.file, changed)
	return r
}

func TestTheDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	r := sick(t)
	code, text := r.live()
	if code != exitFine || !strings.Contains(text, "\n0 problems, 0 warnings.\n") {
		t.Errorf("got %d\n%s", code, text)
	}
	for _, want := range []string{
		"ok      discovery: it answers, after", "ok      keys: ", "ok      clock: ", "ok      client web: its secret is accepted",
		"ok      client web, introspection: it may ask about tokens", "ok      redirect URI: " + r.public + "/.auth/callback/idp",
		"ok      opaque tokens: tokens that are no JWT are checked by introspection", "upstream app\n  ok      reachable: http://127.0.0.1:",
		"ok      reachable: claimproxy answers at " + r.public, "ok      large headers: 16 KiB", "ok      secrets: 1 of them",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

// TestTheDoctorFindsEachFault, says what to do about it, and the exit code is 1.
func TestTheDoctorFindsEachFault(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(r *running)
		says  []string
		code  int
	}{
		"a provider that is down": {func(r *running) { r.provider.Fail(http.StatusBadGateway, devprovider.Discovery) },
			[]string{"PROBLEM discovery: ", "expected status 200, got 502", "-> see whether this machine can open"}, exitFailed},
		"an issuer that is another": {func(r *running) {
			r.provider.Rewrite(devprovider.DiscoveryDocument, func(d map[string]any) { d["issuer"] = "https://other.example" })
		}, []string{"PROBLEM discovery: ", `got "https://other.example"`}, exitFailed},
		"no keys": {func(r *running) {
			r.provider.Override(devprovider.KeySet, devprovider.Answer(200, "application/json", `{"keys":[]}`))
		}, []string{"PROBLEM keys: "}, exitFailed},
		"a wrong secret": {func(r *running) {
			put(r.t, filepath.Join(r.dir, "secret"), "another")
		}, []string{"PROBLEM client web: the provider refuses its credentials, so that nobody can sign in", "-> compare client_id"}, exitFailed},
		"a redirect URI that is not registered": {func(r *running) {
			r.provider.SetClient(devprovider.Client{ID: "web", Secret: "s3cr3t-of-web", RedirectURIs: []string{"http://127.0.0.1:1/x"}})
		}, []string{"PROBLEM redirect URI: the provider refuses http://127.0.0.1:", "-> register it there"}, exitFailed},
		"a clock that is wrong": {func(r *running) {
			r.provider.Override(devprovider.Discovery, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
				r.provider.Real(devprovider.Discovery)(w, req)
			})
		}, []string{"PROBLEM clock: it is 10m", "behind this machine", "-> set both by NTP"}, exitFailed},
		"introspection that is not allowed": {func(r *running) {
			r.provider.Override(devprovider.Introspection, devprovider.Answer(403, "application/json", `{"error":"access_denied"}`))
		}, []string{"WARNING client web, introspection: the provider does not let it ask", "introspect: false"}, exitFine},
		"an application that is not there": {func(r *running) {
			text, _ := os.ReadFile(r.file)
			put(r.t, r.file, strings.Replace(string(text), "app: {url: ", "spare: {url: 'http://127.0.0.1:1'}\n  app: {url: ", 1))
		}, []string{"upstream spare\n  PROBLEM reachable: 127.0.0.1:1 takes no connection: connect: connection refused"}, exitFailed},
		"a secret that everybody can read": {func(r *running) { os.Chmod(filepath.Join(r.dir, "secret"), 0o644) },
			[]string{"PROBLEM secrets: everybody on this machine can read", "-> chmod 0600"}, exitFailed},
		"a state directory that is open": {func(r *running) { os.Chmod(filepath.Join(r.dir, "state"), 0o755) },
			[]string{"PROBLEM directory: others can get into", "-> chmod 0700"}, exitFailed},
		"nobody at public_url": {func(r *running) {
			text, _ := os.ReadFile(r.file)
			put(r.t, r.file, strings.Replace(string(text), "public_url: "+r.public, "public_url: http://127.0.0.1:1", 1))
		}, []string{"WARNING reachable: nobody answers there from this machine"}, exitFailed}, // the redirect URI is another
		"somebody else at public_url": {func(r *running) {
			text, _ := os.ReadFile(r.file)
			put(r.t, r.file, strings.Replace(string(text), "public_url: "+r.public, "public_url: "+r.provider.URL, 1))
		}, []string{"PROBLEM reachable: ", "not as claimproxy does"}, exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sick(t)
			test.fault(r)
			code, text := r.live()
			if code != test.code {
				t.Errorf("got %d, want %d", code, test.code)
			}
			flat := strings.Join(strings.Fields(text), " ")
			for _, want := range test.says {
				if !strings.Contains(flat, strings.Join(strings.Fields(want), " ")) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
		})
	}
}

// TestTheDoctorSaysWhichClaimsComeFromWhere, about a client's own token and another's,
// and never what the token is.
func TestTheDoctorSaysWhichClaimsComeFromWhere(t *testing.T) {
	r := sick(t)
	own := r.provider.Issue("ada", "web", "openid profile").AccessToken
	file := filepath.Join(r.dir, "token")
	put(t, file, own+"\n")
	code, text := r.live("--token", file)
	for _, want := range []string{
		"introspection: it may ask about tokens, and the provider calls this one active",
		"ok      check: accepted: provider idp, client web, of subject 1",
		`ok      claim groups: ["teams/a"], from userinfo`, "note    claims: from userinfo: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if code != exitFine {
		t.Errorf("got %d\n%s", code, text)
	}
	r.provider.SetClient(devprovider.Client{ID: "stranger", Secret: "x"})
	foreign := r.provider.Issue("ada", "stranger", "openid").AccessToken
	put(t, file, foreign)
	code, stdout, _ := command(t, "check", "--live", "--json", "-c", r.file, "--token", file)
	var got checkResult
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitFailed || !got.OK {
		t.Fatalf("got %d, %v\n%s", code, err, stdout)
	}
	said := map[string]doctor.Finding{}
	for _, f := range got.Live {
		said[f.About+": "+f.Check] = f
	}
	if f := said["provider idp: client web, introspection"]; f.Level != doctor.Note || !strings.Contains(f.Says, "another client's") {
		t.Errorf("got %+v", f)
	}
	if f := said["token: check"]; f.Level != doctor.Problem || !strings.Contains(f.Says, "token-") {
		t.Errorf("got %+v", f)
	}
	if strings.Contains(text+stdout, own) || strings.Contains(stdout, foreign) {
		t.Error("a token is printed")
	}
	for _, args := range [][]string{{"--token", file}, {"--live", "--without-secrets"}} {
		if code, _, _ := command(t, append([]string{"check", "-c", r.file}, args...)...); code != exitUsage {
			t.Errorf("%q: got %d, want %d", args, code, exitUsage)
		}
	}
}
