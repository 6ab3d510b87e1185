package e2e

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// demos is held while a demo runs. All of them like the same port, and a test that looks
// whether nobody listens any more must not meet the next one there.
var demos sync.Mutex

// startDemo runs "claimproxy demo" with a directory of its own for temporary
// files, and returns the program, what it printed and that directory.
func startDemo(t *testing.T) (p *process, guide, temp string) {
	t.Helper()
	demos.Lock()
	t.Cleanup(demos.Unlock)
	temp = t.TempDir()
	program := binary(t)
	begun := time.Now()
	p, err := startProcess("claimproxy demo", temp, []string{"TMPDIR=" + temp}, program, "demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	eventually(t, patience, "the guide is printed", func() bool {
		if !p.running() {
			t.Fatal("the demo has ended")
		}
		guide = p.out.since(0)
		return strings.Contains(guide, "ctrl-C.")
	})
	// The race detector and a machine that runs other tests have their share.
	if took := time.Since(begun); took > 2*time.Second && !raceDetector {
		t.Errorf("the demo took %v to start, want less than 2s", took)
	}
	return p, guide, temp
}

// printed finds the first part of a text that a pattern's group matches.
func printed(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the guide has nothing like %s:\n%s", pattern, text)
	}
	return m[1]
}

func TestTheDemoWorksAsItPrintsInABrowser(t *testing.T) {
	t.Parallel()
	p, guide, temp := startDemo(t)
	open := printed(t, guide, `Open this[^\n]*(http://127\.0\.0\.1:\d+/)`)
	signOut := printed(t, guide, `sign out here:\s+(http://\S+)`)
	host := mustParse(t, open).Host

	b := newBrowser(t)
	pick := func(name string) *answer {
		page := b.open(open)
		for to := page.location(); to != nil; to = page.location() {
			page = b.follow(page)
		}
		page.wantStatus(t, http.StatusOK)
		for _, f := range page.forms() {
			if f.method == http.MethodPost {
				return b.followWithin(b.submit(page, f, map[string]string{"person": name}), host)
			}
		}
		t.Fatalf("no page to pick a person from:\n%s", clip(page.body))
		return nil
	}
	pick("ada").wantStatus(t, http.StatusOK).wantText(t, "Hello, ada.")
	b.fetch(http.MethodGet, open+"analytics/products").wantStatus(t, http.StatusOK).wantText(t, "org.kde.")
	b.fetch(http.MethodPost, open+"admin/products").wantProblem(t, http.StatusForbidden, "not-allowed")

	page := b.visit(signOut).wantStatus(t, http.StatusOK)
	for _, f := range page.forms() {
		if f.method == http.MethodPost {
			b.submit(page, f, nil)
		}
	}
	pick("eve").wantStatus(t, http.StatusForbidden).wantText(t, "groups contains teams/kde-developers", "teams/kde-developers-emeritus")
	get(t, open).wantProblem(t, http.StatusUnauthorized, "no-credentials")

	endDemo(t, p, temp, syscall.SIGTERM)
	if a, err := http.Get(open); err == nil {
		a.Body.Close()
		t.Error("somebody still listens after the demo has ended")
	}
}

// TestTheDemoWorksAsItPrintsInAShell runs each line that the guide offers, as it
// stands there.
func TestTheDemoWorksAsItPrintsInAShell(t *testing.T) {
	t.Parallel()
	need(t, shellAndCurl)
	p, guide, temp := startDemo(t)

	// Variables first, then one command at a time, with what it must print.
	var variables, commands []string
	for _, line := range strings.Split(guide, "\n") {
		switch line = strings.TrimSpace(line); {
		case regexp.MustCompile(`^[A-Z]+=`).MatchString(line):
			variables = append(variables, line)
		case strings.HasPrefix(line, "curl "):
			commands = append(commands, line)
		}
	}
	// Tokens are fetched once, as somebody at a shell does.
	tokens := shell(t, strings.Join(variables, "\n")+"\nprintf 'ADA=%s\\nBEN=%s\\nEVE=%s\\n' \"$ADA\" \"$BEN\" \"$EVE\"\n")
	prelude := variables[0] + "\n" + tokens
	if strings.Count(tokens, "\n") != 3 || strings.Contains(tokens, "=\n") {
		t.Fatalf("the lines that fetch tokens give %q, want three of them", tokens)
	}

	products := `-H "Authorization: Bearer $ADA" $APP/analytics/products`
	for _, want := range []struct{ command, output string }{
		{products, "org.kde."}, {products, "200\n"},
		{`-H "Authorization: Bearer $EVE" $APP/analytics/products`, "403\n"},
		{`'%{http_code}\n' $APP/analytics/products`, "401\n"},
		{`Bearer $ADA" -d '{"name":"org.kde.demo"}' $APP/admin/products`, `"not-allowed"`},
		{`Bearer $BEN" -d '{"name":"org.kde.demo"}' $APP/admin/products`, "org.kde.demo"},
		{`$APP/whoami`, "ben"},
		{`$APP/events`, "data:"},
		{`$APP/receiver/submit/org.kde.kate`, "surveys"},
	} {
		command := find(t, commands, want.command)
		if got := shell(t, prelude+command); !strings.Contains(got, want.output) {
			t.Errorf("%s\nprints %q, want %q in it", command, clip(got), want.output)
		}
	}

	shell(t, prelude+find(t, commands, "$DEV/oauth/revoke"))
	again := prelude + find(t, commands, products)
	eventually(t, patience, "Ada's revoked token is refused", func() bool {
		return strings.HasSuffix(shell(t, again), "401\n")
	})
	endDemo(t, p, temp, syscall.SIGINT) // ctrl-C
}

// TestTheDemoSignsInATool with the lines that the guide offers for that, as they stand there.
func TestTheDemoSignsInATool(t *testing.T) {
	t.Parallel()
	need(t, shellAndCurl)
	p, guide, temp := startDemo(t)
	var commands []string
	for _, line := range strings.Split(guide, "\n") {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "claimproxy ") && strings.Contains(line, "http://") {
			commands = append(commands, line)
		}
	}
	if len(commands) != 4 {
		t.Fatalf("the guide offers %q, want login, curl, token and logout", commands)
	}
	m := newTerminal(t)
	told := m.loginUntil(commands[0], func(*output) bool {
		address, err := os.ReadFile(filepath.Join(m.home, "opened"))
		if err != nil {
			return false
		}
		b := newBrowser(t)
		page := b.visit(string(address)).wantStatus(t, http.StatusOK)
		b.follow(b.submit(page, page.forms()[0], map[string]string{"person": "ada"})).wantStatus(t, http.StatusOK)
		return true
	})
	if !strings.Contains(told, "as ada") {
		t.Errorf("login printed\n%s", told)
	}
	for i, want := range []string{`"user":"ada"`, `"access_token":"`, ""} {
		if got := m.run("sh", "-euc", commands[i+1]); !strings.Contains(got, want) {
			t.Errorf("%s\nprints %s, want %s in it", commands[i+1], got, want)
		}
	}
	endDemo(t, p, temp, syscall.SIGTERM)
}

// find returns the first command that ends with a text or contains it.
func find(t *testing.T, commands []string, text string) string {
	t.Helper()
	for _, c := range commands {
		if strings.Contains(c, text) {
			return c
		}
	}
	t.Fatalf("the guide offers no command with %s", text)
	return ""
}

// shell runs a script and returns what it prints. A stream that does not end by
// itself is cut off.
func shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-eu")
	cmd.Env = buildEnvironment()
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "curl -s -N ", "curl -s -N --max-time 3 "))
	out, err := cmd.Output()
	if err != nil && !strings.Contains(script, " -N ") {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// endDemo stops the demo with a signal and looks that it is gone without a trace.
func endDemo(t *testing.T, p *process, temp string, with syscall.Signal) {
	t.Helper()
	if err := p.signal(with); err != nil {
		t.Fatal(err)
	}
	code, err := p.wait()
	if err != nil || code != 0 {
		t.Errorf("the demo after %v: got exit code %d, %v, want 0", with, code, err)
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("the demo left %s behind", filepath.Join(temp, entry.Name()))
	}
	if m := crash.FindString(p.out.since(0)); m != "" {
		t.Errorf("the demo printed %q", m)
	}
}

// TestTheDemosProviderServesANativeProgram walks the line for tools of one's own.
func TestTheDemosProviderServesANativeProgram(t *testing.T) {
	t.Parallel()
	demo, guide, temp := startDemo(t)
	app := printed(t, guide, `APP=(http://\S+)`)
	p := &idp{kind: "the development provider", issuer: printed(t, guide, `at the issuer (http://\S+)`)}
	discovery := get(t, p.issuer+"/.well-known/openid-configuration").wantStatus(t, http.StatusOK).object(t)
	path := func(name string) string {
		endpoint, _ := discovery[name].(string)
		u, err := url.Parse(endpoint)
		if err != nil || !strings.HasPrefix(endpoint, p.issuer) {
			t.Fatalf("discovery: got %s %q", name, endpoint)
		}
		return u.Path
	}
	p.authorizePath, p.tokenPath, p.userinfoPath = path("authorization_endpoint"), path("token_endpoint"), path("userinfo_endpoint")
	tool := native{t: t, idp: p, client: "demo-native"}
	got := tool.signIn(person{Username: "ada"})
	get(t, app+"/analytics/products", "Authorization: Bearer "+got.Access).wantStatus(t, http.StatusOK)
	get(t, app+"/analytics/products", "Authorization: Bearer "+tool.refresh(got).Access).wantStatus(t, http.StatusOK)
	endDemo(t, demo, temp, syscall.SIGHUP) // the terminal is closed
}
