package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// findings runs the doctor, and returns the lines about sessions, as "level check: text".
func findings(t *testing.T, s *site) (code int, about map[string]string) {
	t.Helper()
	got := runClaimproxy(t, s.dir, "check", "--live", "--json", "--config", s.writeConfig())
	var said struct {
		Live []struct{ About, Check, Level, Says, Do string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &said); err != nil {
		t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, redisPassword) {
		t.Error("the doctor prints the password")
	}
	about = map[string]string{}
	for _, f := range said.Live {
		if f.About == "sessions" {
			about[f.Check] = f.Level + ": " + f.Says
			if f.Level == "problem" && f.Do == "" {
				t.Errorf("%+v does not say what to do", f)
			}
		}
	}
	return got.code, about
}

// TestTheDoctorKnowsWhatIsWrongWithARedis, a real one in each case.
func TestTheDoctorKnowsWhatIsWrongWithARedis(t *testing.T) {
	t.Parallel()
	need(t, redisServer)
	const answers = "problem: redis answers "
	for name, test := range map[string]struct {
		server string // further lines of its configuration
		user   string // of session.redis, in place of claimproxy
		pass   string
		gone   bool
		says   map[string]string // how findings begin
		not    string            // a finding that there is not
		code   int
	}{
		"all is well": {says: map[string]string{
			"Redis": "ok: it answers", "keeping": "ok: ", "scripts": "ok: ", "messages": "ok: ", "server": "note: claimproxy's user may not ask",
		}},
		"all is well and it may be asked": {user: "asker", says: map[string]string{
			"version": "ok: ", "eviction": "ok: it drops nothing", "messages": "ok: ",
		}, not: "server"},
		"a wrong password": {pass: "another", says: map[string]string{"Redis": answers + "WRONGPASS: "}, not: "keeping", code: 1},
		"nobody there":     {gone: true, says: map[string]string{"Redis": "problem: redis: "}, not: "keeping", code: 1},
		"a replica that only reads": {server: "replicaof 127.0.0.1 1\nreplica-serve-stale-data yes", says: map[string]string{
			"Redis": "ok: ", "keeping": "problem: sessions can be looked up, and none can be kept: redis answers READONLY: it is a replica",
		}, code: 1},
		"a command that was taken away": {server: "rename-command EVALSHA \"\"\nrename-command EVAL \"\"", says: map[string]string{
			"Redis": "ok: ", "keeping": "ok: ", "scripts": answers + "ERR: it is too old, or commands were renamed",
		}, code: 1},
		"a user who may not listen": {user: "deaf", says: map[string]string{"keeping": "ok: ", "messages": "problem: what one replica changes the others do not hear"}, code: 1},
		"a user who may not write":  {user: "reader", says: map[string]string{"Redis": "ok: ", "keeping": "problem: sessions can be looked up, and none can be kept: redis answers NOPERM: "}, code: 1},
		"a cache": {user: "asker", server: "maxmemory 100mb\nmaxmemory-policy allkeys-lru", says: map[string]string{
			"eviction": "warning: allkeys-lru: when its memory is full it drops sessions",
		}},
		"no memory left": {server: "maxmemory 1\nmaxmemory-policy noeviction", says: map[string]string{
			"Redis": "ok: ", "keeping": "problem: sessions can be looked up, and none can be kept: redis answers OOM: its memory is full",
		}, code: 1},
		"a node of a Cluster": {server: "cluster-enabled yes\ncluster-port " + fmt.Sprint(freePort(t)), says: map[string]string{"Redis": answers + "CLUSTERDOWN: "}, code: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := doctored(t)
			port := freePort(t)
			r := &redisProcess{addr: loopback(port), dir: t.TempDir()}
			config := fmt.Sprintf(redisConfig, port, r.dir, redisPassword, "password-of-default")
			for user, rights := range map[string]string{
				"asker":  "+@read +@write +@pubsub +@connection +@scripting +info",
				"deaf":   "+@read +@write +@connection +@scripting",
				"reader": "+@read +@pubsub +@connection +@scripting",
			} {
				config += fmt.Sprintf("user %s on >%s ~claimproxy:* &claimproxy:* %s\n", user, redisPassword, rights)
			}
			if strings.Contains(test.server, "EVAL") {
				config = strings.Replace(config, "appendonly yes", "appendonly no", 1)
			}
			r.file = s.write("redis.conf", config+test.server+"\n")
			if !test.gone {
				r.start(t)
				t.Cleanup(func() { r.kill() })
			}
			user, pass := "claimproxy", redisPassword
			if test.user != "" {
				user = test.user
			}
			if test.pass != "" {
				pass = test.pass
			}
			s.Session = fmt.Sprintf("{store: redis, secrets: [{file: session-secret}], redis: {url: \"redis://%s/0\", username: %s, password: %s}}", r.addr, user, pass)
			wantFindings(t, s, test.code, test.says, test.not)
		})
	}
}

func wantFindings(t *testing.T, s *site, wantCode int, says map[string]string, not string) {
	t.Helper()
	code, about := findings(t, s)
	if code != wantCode {
		t.Errorf("got exit code %d, want %d: %v", code, wantCode, about)
	}
	for check, begins := range says {
		if !strings.HasPrefix(about[check], begins) {
			t.Errorf("%s: got %q, want %q", check, about[check], begins)
		}
	}
	if found, there := about[not]; there {
		t.Errorf("there is a finding %s: %s", not, found)
	}
}

// doctored is an installation at which the doctor finds nothing wrong but what the test is
// about.
func doctored(t *testing.T) *site {
	t.Helper()
	c := newChanging(t)
	c.config = strings.Replace(changingConfig, "policies:\n", "session: {{.Session}}\npolicies:\n", 1)
	c.provider.SetClient(devprovider.Client{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{c.url + "/.auth/callback/invent"}})
	c.write("session-secret", freshSecret(t, c.site))
	if err := os.Mkdir(filepath.Join(c.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	return c.site
}

// TestTheDoctorAsksARedisOverTLS, and believes no certificate that it does not know.
func TestTheDoctorAsksARedisOverTLS(t *testing.T) {
	t.Parallel()
	need(t, redisServer)
	s := doctored(t)
	s.certificate("localhost")
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.dir, "redis-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	r := &redisProcess{addr: loopback(port), dir: t.TempDir()}
	config := strings.Replace(fmt.Sprintf(redisConfig, port, r.dir, redisPassword, "password-of-default"), "port ", "tls-port ", 1)
	r.file = s.write("redis.conf", config+fmt.Sprintf("port 0\ntls-cert-file %q\ntls-key-file %q\ntls-auth-clients no\n", filepath.Join(s.dir, "redis-cert.pem"), filepath.Join(s.dir, "redis-key.pem")))
	r.start(t)
	t.Cleanup(func() { r.kill() })
	with := func(ca string) {
		s.Session = fmt.Sprintf("{store: redis, secrets: [{file: session-secret}], redis: {url: \"rediss://localhost:%d/0\", username: claimproxy, password: %s%s}}", port, redisPassword, ca)
	}
	with(", ca: redis-cert.pem")
	wantFindings(t, s, 0, map[string]string{"Redis": "ok: ", "keeping": "ok: ", "messages": "ok: "}, "")
	with("")
	wantFindings(t, s, 1, map[string]string{"Redis": "problem: redis: "}, "keeping")
}
