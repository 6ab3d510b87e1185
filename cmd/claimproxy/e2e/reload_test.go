package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// changingConfig is loaded again and again. What may change is marked with {{...}} that
// are no fields of a site.
const changingConfig = `
public_url: http://localhost:{{.Port}}
listen: {{.Listen}}
state_dir: {{.Dir}}/state
shutdown_timeout: 5s
include: [{{.Dir}}/conf.d/*.yaml]
providers:
  - {id: invent, issuer: "{{.Issuer}}", client_id: proxy-web, client_secret: {file: "{{.Dir}}/client-secret"}}
policies:
  developers: groups contains teams/kde-developers
upstreams:
  recorder: {url: "{{.Recorder}}"}
routes:
  - {path: /public/, upstream: recorder, allow: public}
  - {path: /closed/, upstream: recorder, allow: nobody}
  - {path: /developers/, upstream: recorder, allow: developers}
tests:
  - {request: GET /developers/, expect: sign-in}
  - {request: GET /public/, expect: allow}
`

// changing is a site whose configuration changes under it, with a provider of its own.
type changing struct {
	*site
	provider *devprovider.Server
	ada, bob string       // tokens, of a developer and of a visitor
	ahead    atomic.Int64 // how far the provider's clock is, in nanoseconds
}

func newChanging(t *testing.T) *changing {
	t.Helper()
	port := freePort(t)
	s := &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("http://localhost:%d", port), Listen: loopback(port), config: changingConfig}
	s.Dir, s.Recorder = s.dir, newRecorder(t).url
	c := &changing{site: s}
	c.provider = devprovider.NewServer(devprovider.Options{
		Algorithm: "ES256", Now: func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) },
		People: []devprovider.Person{{Name: "ada", Groups: []string{"teams/kde-developers"}}, {Name: "bob"}},
		Clients: []devprovider.Client{
			{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{s.url + "/.auth/callback/invent"}, JWT: true, Audience: []string{"proxy-web"}},
		},
	})
	t.Cleanup(c.provider.Close)
	s.idp = &idp{kind: "development provider", issuer: c.provider.Issuer()}
	s.Issuer = c.provider.Issuer()
	s.write("client-secret", "proxy-web-secret")
	s.leaks.add("proxy-web-secret")
	c.ada = c.provider.Issue("ada", "proxy-web", "openid profile").AccessToken
	c.bob = c.provider.Issue("bob", "proxy-web", "openid profile").AccessToken
	s.leaks.add(c.ada, c.bob)
	return c
}

// replaced is the configuration with a text in place of another one.
func (c *changing) replaced(old, new string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "claimproxy.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		c.t.Fatalf("the configuration has no %q", old)
	}
	return strings.Replace(string(text), old, new, 1)
}

const (
	loadedAgain = "the configuration was loaded again"
	notLoaded   = "the configuration was not loaded again; the one that is at work stays"
)

// within waits for the log to say something after what it says now, as long as a change
// may take to be seen.
func (c *changing) within(t *testing.T, what string, do func()) {
	t.Helper()
	from := c.process.out.size()
	do()
	eventually(t, 5*time.Second, "the log says "+what, func() bool { return strings.Contains(c.process.out.since(from), what) })
}

// status is what a person with a token gets.
func (c *changing) status(path, token string) int {
	c.t.Helper()
	if token == "" {
		return get(c.t, c.url+path).status
	}
	return c.bearer(path, token).status
}

func (c *changing) want(t *testing.T, path, token string, want int) {
	t.Helper()
	if got := c.status(path, token); got != want {
		t.Errorf("%s: got %d, want %d", path, got, want)
	}
}

// TestTheConfigurationFollowsItsFiles in all the ways in which files change.
func TestTheConfigurationFollowsItsFiles(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	c.start()
	c.want(t, "/developers/", c.ada, http.StatusOK)

	// The file is edited: the right is gone.
	c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", c.replaced("contains teams/kde-developers", "contains teams/none")) })
	c.want(t, "/developers/", c.ada, http.StatusForbidden)
	c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", c.replaced("contains teams/none", "contains teams/kde-developers")) })
	c.want(t, "/developers/", c.ada, http.StatusOK)

	// A file is added to those that are included, in a directory that was not there.
	c.want(t, "/team/", c.bob, http.StatusNotFound)
	c.within(t, loadedAgain, func() { c.put("conf.d/team.yaml", "routes: [{path: /team/, upstream: recorder, allow: signed-in}]\n") })
	c.want(t, "/team/", c.bob, http.StatusOK)

	// It is broken, and then there is a test in it that fails: nothing changes, the log
	// has the line.
	for _, broken := range []string{
		"routes:\n  - {path: /team/, upstream: recorder, allow: signed-inn}\n",
		"routes: [{path: /team/, upstream: recorder, allow: signed-in}]\ntests:\n  - {request: GET /team/, expect: allow}\n",
	} {
		from := c.process.out.size()
		c.within(t, notLoaded, func() { c.put("conf.d/team.yaml", broken) })
		if log := c.process.out.since(from); !strings.Contains(log, `conf.d/team.yaml","line":`) {
			t.Errorf("the log does not name the line:\n%s", log)
		}
		c.want(t, "/team/", c.bob, http.StatusOK)
	}
	c.within(t, loadedAgain, func() { os.Remove(filepath.Join(c.dir, "conf.d/team.yaml")) })
	c.want(t, "/team/", c.bob, http.StatusNotFound)

	// SIGHUP loads what is there.
	c.within(t, loadedAgain, func() {
		if err := c.process.signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	})
	c.want(t, "/developers/", c.ada, http.StatusOK)
}

// TestKubernetesSwapsALink: a ConfigMap is a directory of links into another one, whose
// name is a link that is swapped.
func TestKubernetesSwapsALink(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	file := c.writeConfig()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mount := filepath.Join(c.dir, "mount")
	publish := func(version, text string) {
		t.Helper()
		c.put("mount/.."+version+"/claimproxy.yaml", text)
		if err := os.Symlink(".."+version, mount+"/..data_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(mount+"/..data_tmp", mount+"/..data"); err != nil {
			t.Fatal(err)
		}
	}
	publish("1", string(text))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..data/claimproxy.yaml", mount+"/claimproxy.yaml"); err != nil {
		t.Fatal(err)
	}
	if c.process, err = startProcess("claimproxy", c.dir, nil, binary(t), "serve", "--config", mount+"/claimproxy.yaml"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.process.kill)
	c.process.showOnFailure(t)
	if err := c.process.ready(c.url + "/.auth/style.css"); err != nil {
		t.Fatal(err)
	}
	c.want(t, "/developers/", c.ada, http.StatusOK)
	for i, team := range []string{"none", "kde-developers"} {
		c.within(t, loadedAgain, func() {
			publish(fmt.Sprint(2+i), strings.Replace(string(text), "contains teams/kde-developers", "contains teams/"+team, 1))
		})
		c.want(t, "/developers/", c.ada, map[string]int{"none": http.StatusForbidden, "kde-developers": http.StatusOK}[team])
		os.RemoveAll(fmt.Sprintf("%s/..%d", mount, 1+i)) // as it does a moment later
	}
	c.stop()
}

// TestWhatAReloadTakesAwayIsTakenFromWhatIsOpen: a websocket goes on as long as a new
// configuration lets its caller in, however many there were, and ends with the right, with
// the route and with the provider.
func TestWhatAReloadTakesAwayIsTakenFromWhatIsOpen(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"a right":    {"contains teams/kde-developers", "contains teams/none"},
		"a route":    {"  - {path: /recorder/, upstream: recorder, allow: developers}\n", ""},
		"a provider": {`issuer: "`, `issuer: "http://127.0.0.1:9", name: "`},
		"a client":   {"client_id: proxy-web,", "client_id: another,"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChanging(t)
			c.Recorder, _ = newStreamer(t)
			c.config = strings.Replace(c.config, "/developers/, upstream: recorder", "/recorder/, upstream: recorder", 1)
			c.config = strings.Replace(c.config, "tests:\n  - {request: GET /developers/, expect: sign-in}\n", "tests:\n", 1)
			c.start()
			conn := c.socket("Authorization: Bearer " + c.ada)
			wantEcho(t, conn)
			for _, next := range [][2]string{ // everything is made anew, and she is let in
				{"{id: invent, ", "{id: invent, color: '#123456', "}, {"routes:\n", "session: {idle: 1h}\nroutes:\n"}, {"session: {idle: 1h}\n", ""},
			} {
				c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", c.replaced(next[0], next[1])) })
				wantEcho(t, conn)
			}
			c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", c.replaced(change[0], change[1])) })
			wantPolicyViolation(t, conn, 5*time.Second)
		})
	}
}
