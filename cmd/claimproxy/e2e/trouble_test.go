package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// The tests here make trouble, and look at what four sorts of people see: clients, who
// reads the log, who watches the metrics, and what asks /readyz.

// troubled is a site to which something happens.
type troubled struct {
	*changing
	admin string
}

// newTroubled is a site with further keys in its file.
func newTroubled(t *testing.T, keys string) *troubled {
	t.Helper()
	c := &troubled{changing: newChanging(t), admin: loopback(freePort(t))}
	// An opaque token has to be asked about; the tokens of the others say all themselves.
	c.provider.SetClient(devprovider.Client{ID: "native", Native: true})
	c.config = fmt.Sprintf("admin: {listen: %q}\n%s", c.admin, keys) + strings.Replace(changingConfig,
		`client_secret: {file: "{{.Dir}}/client-secret"}}`, `client_secret: {file: "{{.Dir}}/client-secret"}, clients: [{client_id: native}]}`, 1)
	return c
}

// ready is what /readyz says, part by part.
func (c *troubled) ready() (all bool, parts map[string]string) {
	c.t.Helper()
	a := get(c.t, "http://"+c.admin+"/readyz")
	var said struct {
		Ready bool
		Parts map[string]struct {
			Ready bool
			Why   string
		}
	}
	if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.Ready != (a.status == http.StatusOK) {
		c.t.Fatalf("readyz: got %d %s (%v)", a.status, a.body, err)
	}
	parts = map[string]string{}
	for name, p := range said.Parts {
		parts[name] = p.Why
	}
	return said.Ready, parts
}

// wantReady checks the whole of what /readyz says.
func (c *troubled) wantReady(want bool) map[string]string {
	c.t.Helper()
	all, parts := c.ready()
	if all != want {
		c.t.Errorf("readyz: got %v, want %v: %v", all, want, parts)
	}
	return parts
}

// metric is the sum of all series whose line has these texts in it.
func (c *troubled) metric(name string, labels ...string) float64 {
	c.t.Helper()
	sum := 0.0
	for line := range strings.Lines(get(c.t, "http://"+c.admin+"/metrics").wantStatus(c.t, http.StatusOK).body) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		is := series == name || strings.HasPrefix(series, name+"{")
		for _, l := range labels {
			is = is && strings.Contains(series, l)
		}
		if !is {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// wantLogged checks that the log has said something.
func (c *troubled) wantLogged(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		eventually(c.t, patience, "the log says "+text, func() bool { return strings.Contains(c.process.out.since(0), text) })
	}
}

// signedIn is a browser of somebody who has just signed in, nil if that did not work, and
// the last answer on the way.
func (c *troubled) signedIn(who string) (*browser, *answer) {
	c.t.Helper()
	c.provider.SignInAs(who)
	b := c.browser()
	a := b.visit(c.url + "/developers/")
	for range 12 {
		if a.location() == nil {
			break
		}
		a = b.follow(a)
	}
	c.learn(b)
	if a.status != http.StatusOK {
		return nil, a
	}
	return b, a
}

// mustSignIn fails the test when somebody is not signed in.
func (c *troubled) mustSignIn(who string) *browser {
	c.t.Helper()
	b, a := c.signedIn(who)
	if b == nil {
		c.t.Fatalf("%s is not signed in: got %d\n%s", who, a.status, clip(a.body))
	}
	return b
}

// TestAProviderIsKilledAndComesBack: what is known goes on, what has to be asked is 503,
// and all is well again without anybody doing anything.
func TestAProviderIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	c := newTroubled(t, "session: {recheck: 1s}\n")
	c.start()
	opaque := c.provider.Issue("ada", "native", "openid profile").AccessToken
	c.leaks.add(opaque)
	b := c.mustSignIn("ada")
	c.want(t, "/developers/", c.ada, http.StatusOK)

	c.provider.Close()
	c.want(t, "/developers/", c.ada, http.StatusOK)
	c.want(t, "/public/", "", http.StatusOK)
	c.bearer("/developers/", opaque).wantUnavailable(t)
	eventually(t, patience, "the session is due, and goes on within its grace", func() bool {
		b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
		return c.metric("claimproxy_session_renewals_total", `provider="invent"`, `result="provider-unavailable"`) > 0
	})
	for _, series := range [][]string{
		{"claimproxy_provider_requests_total", `endpoint="introspection"`, `result="unanswered"`},
		{"claimproxy_provider_requests_total", `endpoint="userinfo"`, `result="unanswered"`},
		{"claimproxy_token_lookups_total", `kind="opaque"`, `result="unknown"`},
		{"claimproxy_requests_total", `reason="provider-unavailable"`, `status="5xx"`},
	} {
		if c.metric(series[0], series[1:]...) == 0 {
			t.Errorf("the metrics do not have %v", series)
		}
	}
	c.wantLogged(`"reason":"provider-unavailable"`, "connection refused", "a session cannot be checked again right now")
	c.wantReady(true) // another claimproxy would not reach it either

	l, err := devprovider.Listen(strings.TrimPrefix(c.provider.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	again := devprovider.Serve(l, c.provider.Provider)
	t.Cleanup(again.Close)
	eventually(t, patience, "the token is accepted", func() bool { return c.status("/developers/", opaque) == http.StatusOK })
	good := c.metric("claimproxy_session_renewals_total", `result="ok"`)
	eventually(t, patience, "the session is checked again", func() bool {
		b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
		return c.metric("claimproxy_session_renewals_total", `result="ok"`) > good
	})
	c.mustSignIn("ada")
}

// TestADiskThatIsFull: who is known is, nobody new is let in who could not be kept, lines
// of the audit log are missed and counted, and all is well again when there is room.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(t *testing.T, c *troubled, dir string) (empty func()){
		"no space left": func(t *testing.T, c *troubled, dir string) func() {
			ballast := filepath.Join(dir, "ballast")
			f, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for size := 1 << 20; size > 0; size /= 2 {
				for err = nil; err == nil; {
					_, err = f.Write(make([]byte, size))
				}
			}
			return func() { os.Remove(ballast) }
		},
		"files may not grow": func(t *testing.T, c *troubled, _ string) func() {
			return c.process.limit(t, fileSizeLimit, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if name == "no space left" {
				smallDisk(t, dir, "1m")
			}
			c := newTroubled(t, fmt.Sprintf("audit: {file: %q}\n", filepath.Join(dir, "audit.log")))
			c.config = strings.Replace(c.config, "state_dir: {{.Dir}}/state", fmt.Sprintf("state_dir: %q", filepath.Join(dir, "state")), 1)
			c.start()
			b := c.mustSignIn("ada")

			empty := fill(t, c, dir)
			var late *answer
			eventually(t, patience, "nobody new is let in", func() bool {
				var in *browser
				in, late = c.signedIn("ada")
				return in == nil
			})
			late.wantStatus(t, http.StatusServiceUnavailable).wantOwn(t)
			b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
			c.want(t, "/developers/", c.ada, http.StatusOK)
			eventually(t, patience, "lines are lost", func() bool {
				c.want(t, "/public/", "", http.StatusOK)
				return c.metric("claimproxy_audit_lost_total") > 0
			})
			if n := c.metric("claimproxy_logins_total", `result="store-unavailable"`); n == 0 {
				t.Error("the metrics do not count who was not signed in")
			}
			c.wantLogged("audit lines were lost", `"reason":"store-unavailable"`, map[string]string{"no space left": "no space left on device", "files may not grow": "file too large"}[name])
			// Who is known is served, so this claimproxy is better than none; and it says so.
			parts := c.wantReady(true)
			if !strings.HasPrefix(parts["audit"], "lines are lost, and requests go on without: ") {
				t.Errorf("readyz says of the audit log %q", parts["audit"])
			}
			if !strings.HasPrefix(parts["sessions"], "sessions can be looked up, and none can be kept: ") {
				t.Errorf("readyz says of the sessions %q", parts["sessions"])
			}

			empty()
			eventually(t, patience, "people can sign in", func() bool { in, _ := c.signedIn("ada"); return in != nil })
			eventually(t, patience, "lines are written", func() bool {
				c.want(t, "/public/", "", http.StatusOK)
				_, parts := c.ready()
				return parts["audit"] == "" && parts["sessions"] == ""
			})
			c.wantReady(true)
			b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
		})
	}
}

// TestNoFileDescriptorsAreLeft: connections wait, those that are there go on, nothing
// ends, and all is well when there are some again.
func TestNoFileDescriptorsAreLeft(t *testing.T) {
	t.Parallel()
	c := newTroubled(t, "")
	c.start()
	c.want(t, "/public/", "", http.StatusOK)
	public, admin := dialKept(t, c.Listen), dialKept(t, c.admin)
	if got := public.get(t, "/public/", c.url); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	if got := admin.get(t, "/readyz", c.admin); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	open := int(c.metric("process_open_fds"))
	restore := c.process.limit(t, fileLimit, uint64(open+4))
	var crowd []net.Conn
	defer func() {
		for _, conn := range crowd {
			conn.Close()
		}
	}()
	eventually(t, patience, "there are none left", func() bool {
		conn, err := net.Dial("tcp", c.Listen)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
		return strings.Contains(c.process.out.since(0), "too many open files")
	})
	// Who is there is answered still.
	for range 3 {
		if got := public.get(t, "/public/", c.url); got != http.StatusOK {
			t.Errorf("a connection that is there: got %d", got)
		}
		if got := admin.get(t, "/readyz", c.admin); got != http.StatusOK {
			t.Errorf("readyz, on a connection that is there: got %d", got)
		}
	}
	if n := admin.value(t, "claimproxy_accept_errors_total"); n == 0 {
		t.Error("the metrics do not count connections that could not be taken")
	}
	if !c.process.running() {
		t.Fatal("it has ended")
	}

	for _, conn := range crowd {
		conn.Close()
	}
	restore()
	eventually(t, patience, "a new connection is answered", func() bool {
		client := newClient(nil)
		client.Timeout = time.Second
		res, err := client.Get(c.url + "/public/")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	c.wantReady(true)
	if n := strings.Count(c.process.out.since(0), "too many open files"); n > 200 {
		t.Errorf("the log says %d times that there are none", n)
	}
}

// kept is one connection, for one request after the other.
type kept struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialKept(t testing.TB, addr string) *kept {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &kept{conn, bufio.NewReader(conn)}
}

// get returns the status of an answer.
func (k *kept) get(t testing.TB, path, host string) int {
	t.Helper()
	status, _ := k.read(t, path, host)
	return status
}

func (k *kept) read(t testing.TB, path, host string) (int, string) {
	t.Helper()
	k.conn.SetDeadline(time.Now().Add(patience))
	host = strings.TrimPrefix(host, "http://")
	if _, err := fmt.Fprintf(k.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(k.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&body); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	return res.StatusCode, body.String()
}

// value is that of a metric without labels.
func (k *kept) value(t testing.TB, name string) float64 {
	t.Helper()
	_, body := k.read(t, "/metrics", k.conn.RemoteAddr().String())
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
