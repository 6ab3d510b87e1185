package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tests here are about two claimproxies that share a Redis, behind something that
// sends each request to either: people see one.

// redisConfig is a Redis that keeps what it was told over a restart, with a user who may do
// what docs/sessions.md says and nothing else. The default user has a password and is not
// off: it is the one as whom Redis reads its append-only file.
const redisConfig = `
bind 127.0.0.1
port %[1]d
dir %[2]q
save ""
appendonly yes
user default on >%[4]s ~* &* +@all
user claimproxy on >%[3]s ~claimproxy:* &claimproxy:* +@read +@write +@pubsub +@connection +@scripting
`

const redisPassword = "password-of-redis"

// redisProcess is a Redis for one test, which may stop it.
type redisProcess struct {
	*process
	addr, dir, file string
}

func newRedis(t testing.TB, s *site) *redisProcess {
	t.Helper()
	need(t, redisServer)
	port := freePort(t)
	r := &redisProcess{addr: loopback(port), dir: t.TempDir()}
	r.file = s.write("redis.conf", fmt.Sprintf(redisConfig, port, r.dir, redisPassword, "password-of-default"))
	s.leaks.add(redisPassword)
	r.start(t)
	t.Cleanup(func() { r.kill() }) // the one that runs then
	return r
}

func (r *redisProcess) start(t testing.TB) {
	t.Helper()
	var err error
	if r.process, err = startProcess("redis", r.dir, nil, "redis-server", r.file); err != nil {
		t.Fatal(err)
	}
	r.showOnFailure(t)
	eventually(t, patience, "Redis listens", func() bool {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func (r *redisProcess) stop(t testing.TB) {
	t.Helper()
	if _, err := r.process.stop(); err != nil {
		t.Fatal(err)
	}
}

// replicas are two sites with one address, and what shares requests out between them.
type replicas struct {
	*site // the address, and the first of them
	all   [2]*site
	redis *redisProcess // nil: they share a secret and nothing else
	// only is the one that gets all requests; with another number they take turns.
	only atomic.Int64
	turn atomic.Int64
}

const takeTurns = -1

// newReplicas starts two claimproxies in front of a provider that share a Redis, with
// further keys of session, and each with a line of its own.
func newReplicas(t testing.TB, p *idp, session string, lines ...string) *replicas {
	t.Helper()
	return newReplicasWith(t, p, func(all [2]*site) *redisProcess {
		redis := newRedis(t, all[0])
		for i, line := range lines {
			all[i].config = line + "\n" + all[i].config
		}
		for _, s := range all {
			s.Session = redis.session(s, session)
		}
		return redis
	})
}

// session is what a site says below session: that keeps sessions in this Redis, with
// further keys.
func (r *redisProcess) session(s *site, more string) string {
	s.write("redis-password", redisPassword)
	s.leaks.add(redisPassword)
	return fmt.Sprintf(`{store: redis, secrets: [{file: session-secret}], redis: {url: "redis://%s/0", username: claimproxy, password: {file: redis-password}}%s}`, r.addr, more)
}

// freshSecret is a secret as "claimproxy secret" prints one.
func freshSecret(t testing.TB, all ...*site) string {
	t.Helper()
	secret, err := exec.Command(binary(t), "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		s.leaks.add(strings.TrimSpace(string(secret)))
	}
	return string(secret)
}

// newReplicasWith starts two claimproxies that have a secret in common. keep says where
// each keeps its sessions.
func newReplicasWith(t testing.TB, p *idp, keep func(all [2]*site) *redisProcess) *replicas {
	t.Helper()
	first, second := newSite(t, p), newSite(t, p)
	r := &replicas{site: first, all: [2]*site{first, second}}
	front := first.Listen
	first.Recorder = newRecorder(t).url
	second.Recorder, second.url = first.Recorder, first.url
	first.Listen = loopback(freePort(t))
	secret := freshSecret(t, first, second)
	for _, s := range r.all {
		s.write("session-secret", secret)
	}
	r.redis = keep(r.all)

	proxy := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme = "http"
			i := r.only.Load()
			if i == takeTurns {
				i = r.turn.Add(1) % 2
			}
			pr.Out.URL.Host = r.all[i].Listen
		},
		// Who waits for a replica to start is not to take this for its answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l, err := net.Listen("tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: proxy}}
	server.Start()
	t.Cleanup(server.Close)
	for i, s := range r.all {
		r.only.Store(int64(i))
		s.start()
	}
	r.only.Store(takeTurns)
	return r
}

// at has a request answered by one replica.
func (r *replicas) at(i int, ask func() *answer) *answer {
	r.only.Store(int64(i))
	defer r.only.Store(takeTurns)
	return ask()
}

// browser opens a browser whose secrets may not show up in either log.
func (r *replicas) browser() *browser {
	b := r.site.browser()
	r.site.t.Cleanup(func() { r.all[1].learn(b) })
	return b
}

func TestReplicasAreOne(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		r := newReplicas(t, p, "")
		alice := people()["alice"]
		page := r.url + "/recorder/"

		// Half of the way through a sign-in is taken at each, and the session is known at both.
		laptop, phone := r.browser(), r.browser()
		for _, b := range []*browser{laptop, phone} {
			b.signIn(page, p, alice).wantStatus(t, http.StatusOK)
		}
		copied := r.sessionCookie(laptop)
		thief := withCookie(t, r.url, copied)
		for i := range r.all {
			for _, b := range []*browser{laptop, phone, thief} {
				r.at(i, func() *answer { return b.visit(page) }).wantStatus(t, http.StatusOK)
			}
			me := r.at(i, func() *answer { return laptop.fetch(http.MethodGet, r.url+"/.auth/me") }).wantStatus(t, http.StatusOK).object(t)
			if list, _ := me["sessions"].([]any); len(list) < 2 {
				t.Errorf("replica %d lists the sessions %v, want two", i, me["sessions"])
			}
		}

		// Signed out at one, dead at the other, which has it in memory.
		out := r.at(0, func() *answer {
			return laptop.button(laptop.visit(r.url+"/.auth/sign-out").wantStatus(t, http.StatusOK), "/.auth/sign-out", nil)
		}).wantStatus(t, http.StatusSeeOther)
		if to := out.location(); to != nil {
			r.leaks.add(to.Query().Get("id_token_hint"), to.Query().Get("state"))
			r.all[1].leaks.add(to.Query().Get("id_token_hint"), to.Query().Get("state"))
		}
		eventually(t, 2*time.Second, "the other replica has heard of it", func() bool {
			return r.at(1, func() *answer { return thief.fetch(http.MethodGet, page) }).status == http.StatusUnauthorized
		})
		for i := range r.all {
			r.at(i, func() *answer { return thief.fetch(http.MethodGet, page) }).wantProblem(t, http.StatusUnauthorized, "session-ended")
			r.at(i, func() *answer { return phone.visit(page) }).wantStatus(t, http.StatusOK)
		}

		// A replica that is started again has lost nothing.
		r.only.Store(1)
		r.all[1].restart()
		phone.visit(page).wantStatus(t, http.StatusOK)
		thief.fetch(http.MethodGet, page).wantProblem(t, http.StatusUnauthorized, "session-ended")
		r.only.Store(takeTurns)
	})
}

// TestReplicasRefreshOnce: 50 requests whose access token has expired come to both, and
// the provider is asked for tokens once.
func TestReplicasRefreshOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		setup setup
		env   string
	}{
		{"Doorkeeper ends the old tokens at once", setups[0], "ROTATION=instant"},
		{"Doorkeeper ends the old tokens when the new ones are used", setups[0], "ROTATION=on_use"},
		{"oidc-provider ends the grant when a token comes twice", setups[1], ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := test.setup.fresh(t, test.env)
			r := newReplicas(t, p, ", recheck: 1s, grace: 3s")
			who := p.newPerson(t, "teams/kde-developers")
			b := r.browser()
			b.signIn(r.url+"/recorder/", p, who).wantStatus(t, http.StatusOK)
			refreshOnce(t, p, who, r.url, r.sessionCookie(b))
		})
	}
}

// TestARedisThatStopsAndComesBack: what needs it is 503 and no sign-in, the rest goes on,
// and so does everything once it is back, without a restart of the proxies.
func TestARedisThatStopsAndComesBack(t *testing.T) {
	t.Parallel()
	setup := setups[1]
	p := setup.shared(t)
	admin, otherAdmin := loopback(freePort(t)), loopback(freePort(t))
	r := newReplicas(t, p, "", "admin: {listen: "+admin+"}", "admin: {listen: "+otherAdmin+"}")
	ready := func() *answer { return get(t, "http://"+admin+"/readyz") }
	ready().wantStatus(t, http.StatusOK).wantText(t, `"sessions":{"ready":true}`)
	alice := people()["alice"]
	page := r.url + "/recorder/"
	token := r.native("native-public", "").signIn(alice).Access
	b := r.browser()
	b.signIn(page, p, alice).wantStatus(t, http.StatusOK)
	for i := range r.all {
		r.at(i, func() *answer { return b.visit(page) }).wantStatus(t, http.StatusOK)
	}
	late := r.browser()
	callback := late.atProvider(late.open(page), p, alice, true)
	running := [2]*process{r.all[0].process, r.all[1].process}
	for _, one := range []string{admin, otherAdmin} { // each tells the number of all
		eventually(t, patience, "sessions are counted", func() bool {
			return strings.Contains(get(t, "http://"+one+"/metrics").body, "\nclaimproxy_sessions 1\n")
		})
	}

	r.redis.stop(t)
	for i := range r.all {
		eventually(t, patience, "what is in memory is not served any more", func() bool {
			a := r.at(i, func() *answer { return b.fetch(http.MethodGet, page) })
			if a.status == http.StatusOK {
				return false
			}
			a.wantProblem(t, http.StatusServiceUnavailable, "store-unavailable")
			return true
		})
		a := r.at(i, func() *answer { return b.visit(page) }).wantStatus(t, http.StatusServiceUnavailable)
		a.wantOwn(t)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		get(t, r.url+"/receiver/submit/x").wantStatus(t, http.StatusOK)
		r.bearer("/recorder/", token).wantStatus(t, http.StatusOK)
		r.browser().fetch(http.MethodGet, page).wantProblem(t, http.StatusUnauthorized, "no-credentials")
	}
	late.follow(callback).wantStatus(t, http.StatusServiceUnavailable)
	ready().wantStatus(t, http.StatusServiceUnavailable).wantText(t, `"sessions":{"ready":false,"why":"`)
	metrics := get(t, "http://"+admin+"/metrics").body + get(t, "http://"+otherAdmin+"/metrics").body
	for _, want := range []string{`reason="store-unavailable",route="localhost/recorder/",status="5xx"`, `claimproxy_logins_total{provider="invent",result="store-unavailable"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for i := range r.all {
		if log := running[i].out.since(0); !strings.Contains(log, "the session store cannot be used as it should") || !strings.Contains(log, "connection refused") {
			t.Errorf("the log of number %d does not say why", i)
		}
	}

	r.redis.start(t)
	for i := range r.all {
		eventually(t, patience, "the session goes on", func() bool {
			a := r.at(i, func() *answer { return b.fetch(http.MethodGet, page) })
			if a.status != http.StatusOK {
				a.wantProblem(t, http.StatusServiceUnavailable, "store-unavailable")
			}
			return a.status == http.StatusOK
		})
		if r.all[i].process != running[i] || !running[i].running() {
			t.Error("the proxy was restarted")
		}
	}
	ready().wantStatus(t, http.StatusOK)
	r.browser().signIn(page, p, alice).wantStatus(t, http.StatusOK)
}
