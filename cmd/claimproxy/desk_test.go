package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

const signedIn = "  - {path: /, upstream: app, allow: signed-in}"

// browser signs somebody in, through all redirects, with a jar of its own.
func (r *running) browser(person string) *http.Client {
	r.t.Helper()
	r.provider.SetClient(devprovider.Client{ID: "web", Secret: "s3cr3t-of-web", RedirectURIs: []string{"http://localhost/.auth/callback/idp"}})
	r.provider.SignInAs(person)
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	public := strings.TrimPrefix(r.public, "http://")
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "localhost:80" {
			addr = public
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	r.t.Cleanup(transport.CloseIdleConnections)
	b := &http.Client{Jar: jar, Transport: transport}
	if status, body := get(r.t, b); status != http.StatusOK || body != "the application: /x" {
		r.t.Fatalf("signing in ends with %d %q", status, body)
	}
	return b
}

// get opens a page of the application.
func get(t *testing.T, b *http.Client) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://localhost/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	res, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// program asks the application with the cookies of a browser, and signs nobody in.
func (r *running) program(b *http.Client) int {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://localhost/x", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := b.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// command runs claimproxy sessions and returns its exit code and output.
func (r *running) command(args ...string) (int, string, string) {
	r.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(r.t.Context(), append(append([]string{"sessions"}, args...), "--admin", r.admin), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestAnAdministratorEndsAllSessionsOfAPerson: they are dead at once, and nobody else's.
func TestAnAdministratorEndsAllSessionsOfAPerson(t *testing.T) {
	r := start(t, echo, adminKey, signedIn)
	r.provider.SetPerson(devprovider.Person{Name: "eve"})
	laptop, phone, eve := r.browser("ada"), r.browser("ada"), r.browser("eve")

	code, out, errs := r.command("list", "--provider", "idp", "--sub", "1")
	if code != exitFine || strings.Count(out, "Firefox on Linux") != 2 || strings.Count(out, "127.0.0.1") != 2 || !strings.HasPrefix(out, "ID ") {
		t.Errorf("list: got %d\n%s%s", code, out, errs)
	}
	code, out, _ = r.command("list", "--sub", "1", "--json")
	var list sessionList
	if err := json.Unmarshal([]byte(out), &list); code != exitFine || err != nil || len(list.Sessions) != 2 {
		t.Fatalf("list: got %d, %v\n%s", code, err, out)
	}
	for _, s := range list.Sessions {
		if s.Provider != "idp" || s.Subject != "1" || s.ID == "" || s.Since.IsZero() || s.Until.Before(s.LastSeen) {
			t.Errorf("got %+v", s)
		}
	}

	if code, out, _ = r.command("end", "--sub", "1", "--id", list.Sessions[0].ID); code != exitFine || out != "1 session has ended.\n" {
		t.Errorf("end --id: got %d %q", code, out)
	}
	if a, b := r.program(laptop), r.program(phone); a+b != 200+401 {
		t.Errorf("after one was ended: got %d and %d", a, b)
	}
	if code, out, _ = r.command("end", "--provider", "idp", "--sub", "2", "--id", list.Sessions[1].ID); code != exitFine || out != "0 sessions have ended.\n" {
		t.Errorf("end --id of somebody else: got %d %q", code, out)
	}
	if code, out, _ = r.command("end", "--provider", "idp", "--sub", "1", "--json"); code != exitFine || !strings.Contains(out, `"ended": 1`) {
		t.Errorf("end: got %d %q", code, out)
	}
	if a, b, c := r.program(laptop), r.program(phone), r.program(eve); a != 401 || b != 401 || c != 200 {
		t.Errorf("after all were ended: got %d, %d and %d", a, b, c)
	}
	if code, out, _ = r.command("list", "--sub", "1"); code != exitFine || out != "There are no sessions of this person.\n" {
		t.Errorf("list: got %d %q", code, out)
	}
	if log := r.stderr.String(); !strings.Contains(log, `"msg":"sessions were ended on the admin listener","provider":"idp","sub":"1","sessions":1,"from":"127.0.0.1:`) {
		t.Errorf("the log does not say so\n%s", log)
	}
}

// TestASlipOfAnAdministratorEndsNothing.
func TestASlipOfAnAdministratorEndsNothing(t *testing.T) {
	r := start(t, echo, adminKey, signedIn)
	b := r.browser("ada")
	for name, want := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nobody":              {[]string{"end"}, exitUsage, "--sub"},
		"an empty id":         {[]string{"end", "--sub", "1", "--id", ""}, exitUsage, "--id is empty"},
		"an unknown provider": {[]string{"end", "--sub", "1", "--provider", "ipd"}, exitFailed, "There is no such provider. There is: idp."},
		"an argument":         {[]string{"end", "--sub", "1", "2"}, exitUsage, "takes no arguments"},
		"a list of nobody":    {[]string{"list"}, exitUsage, "--sub"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := r.command(want.args...)
			if code != want.code || !strings.Contains(errs, want.says) {
				t.Errorf("got %d\n%s\nwant %d and %q", code, errs, want.code, want.says)
			}
		})
	}
	for args, says := range map[string]string{"sessions": "", "sessions stop": `unknown command "stop": there are list and end`} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), says) {
			t.Errorf("%s: got %d\n%s", args, code, &stderr)
		}
	}
	for _, form := range []string{"", "sub=", "subject=1", "sub=1&providr=idp", "sub=1&sub=2", "sub=1&provider=", "sub=1&id=", "sub=1&x=" + strings.Repeat("x", 5000), "%zz"} {
		if status, body := r.post("/sessions/end", form); status != http.StatusBadRequest {
			t.Errorf("%.40q: got %d %s", form, status, body)
		}
	}
	if status, _ := r.post("/sessions/end?sub=1", ""); status != http.StatusBadRequest {
		t.Errorf("in the query: got %d", status)
	}
	for _, query := range []string{"", "?sub=", "?sub=1&sub=2", "?sub=1&id=x", "?provider=idp", "?%zz"} {
		if status, _ := r.ask("GET", r.admin+"/sessions"+query); status != http.StatusBadRequest {
			t.Errorf("list %q: got %d", query, status)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if status, _ := r.ask(method, r.admin+"/sessions/end?sub=1"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d", method, status)
		}
	}
	if got := r.program(b); got != http.StatusOK {
		t.Errorf("got %d, want ada signed in still", got)
	}
}

// post sends a form to the admin listener.
func (r *running) post(path, form string, headers ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.admin+path, strings.NewReader(form))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.send(req, headers...)
}

func (r *running) send(req *http.Request, headers ...string) (int, string) {
	r.t.Helper()
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
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

// TestAPageOnTheInternetDoesNotReachTheDesk through the browser of whoever runs the
// proxy: not by a form, and not by a name that points to this machine.
func TestAPageOnTheInternetDoesNotReachTheDesk(t *testing.T) {
	r := start(t, echo, adminKey, signedIn)
	b := r.browser("ada")
	for _, headers := range [][]string{
		{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, {"Origin: https://evil.example"}, {"Origin: null"},
		{"Host: evil.example:8081"}, {"Host: evil.example:8081", "Origin: http://evil.example:8081"}, {"Host: localhost.evil.example"}, {"Host: 127.0.0.1.evil.example"},
	} {
		if status, _ := r.post("/sessions/end", "sub=1", headers...); status != http.StatusForbidden {
			t.Errorf("%q: got %d, want 403", headers, status)
		}
		if !strings.HasPrefix(headers[0], "Host:") {
			continue // what it may not read a browser keeps from the page
		}
		req, err := http.NewRequest(http.MethodGet, r.admin+"/sessions?sub=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := r.send(req, headers...); status != http.StatusForbidden || strings.Contains(body, "127.0.0.1") {
			t.Errorf("%q: got %d %s, want 403", headers, status, body)
		}
	}
	if got := r.program(b); got != http.StatusOK {
		t.Errorf("got %d, want ada signed in still", got)
	}
	if status, _ := r.post("/sessions/end", "sub=1", "Host: localhost:8081"); status != http.StatusOK {
		t.Errorf("from this machine: got %d", status)
	}
}

// TestTheDeskIsOnTheAdminListenerAlone.
func TestTheDeskIsOnTheAdminListenerAlone(t *testing.T) {
	r := start(t, echo, adminKey, "  - {path: /, upstream: app, allow: public}")
	for _, path := range []string{"/sessions?sub=1", "/sessions/end"} {
		if status, body := r.ask("GET", r.public+path); status != 200 || !strings.HasPrefix(body, "the application: /sessions") {
			t.Errorf("public %s: got %d %q, want the application's", path, status, body)
		}
	}
	if status, _ := r.ask("GET", r.public+"/.auth/sessions"); status != http.StatusNotFound {
		t.Errorf("got %d, want 404", status)
	}
}

// TestSessionsTellWhatTheyWereAnswered: another server, none, a redirect.
func TestSessionsTellWhatTheyWereAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"a refusal":      {func(w http.ResponseWriter, r *http.Request) { writeDeskError(w, &deskError{503, "Not yet.\x1b[2J"}) }, `"Not yet.\x1b[2J"`},
		"another server": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "expected the answer of claimproxy's admin listener, got status 404"},
		"a page":         {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") }, "expected the answer of claimproxy's admin listener, got status 200"},
		"a redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "got status 302"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"sessions", "end", "--sub", "1", "--admin", s.URL}, &stdout, &stderr)
			if code != exitFailed || !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
				t.Errorf("got %d\n%s%s\nwant %q", code, &stdout, &stderr, c.says)
			}
		})
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"sessions", "list", "--sub", "1", "--admin", "127.0.0.1:8081"}, &stdout, &stderr); code != exitUsage {
		t.Errorf("got %d\n%s", code, &stderr)
	}
	stderr.Reset()
	if code := run(t.Context(), []string{"sessions", "list", "--sub", "1", "--admin", "http://127.0.0.1:1"}, &stdout, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "admin listener") {
		t.Errorf("got %d\n%s", code, &stderr)
	}
}

// TestCheckListsTheURIsOfSignOuts, for people and for programs.
func TestCheckListsTheURIsOfSignOuts(t *testing.T) {
	file := write(t, "claimproxy.yaml", `
public_url: https://telemetry.example.org
endpoints: /.own
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: web, client_secret: x}
routes:
  - {path: /, upstream: "http://127.0.0.1:1", allow: nobody}
`)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"check", "-c", file}, &stdout, &stderr); code != exitFine {
		t.Fatalf("got %d\n%s", code, &stderr)
	}
	for _, want := range []string{
		"Post-logout redirect URIs, where the provider has a field for it:\n  invent       https://telemetry.example.org/.own/sign-out\n",
		"https://telemetry.example.org/.own/backchannel-logout/invent\n", "https://telemetry.example.org/.own/frontchannel-logout/invent\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("got\n%s\nwant %s", &stdout, want)
		}
	}
	stdout.Reset()
	if code := run(t.Context(), []string{"check", "-c", file, "--json"}, &stdout, &stderr); code != exitFine {
		t.Fatalf("got %d", code)
	}
	var result struct {
		URIs map[string]string `json:"post_logout_redirect_uris"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || len(result.URIs) != 1 || result.URIs["invent"] != "https://telemetry.example.org/.own/sign-out" {
		t.Errorf("got %v, %v", result.URIs, err)
	}
}
