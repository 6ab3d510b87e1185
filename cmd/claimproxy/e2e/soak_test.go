//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// soakFor is how long everything happens at once: go test -run TestSoak -soak 5m. In the
// ordinary run of the tests it is short, and with fewer clients.
var soakFor = flag.Duration("soak", 0, "how long the soak takes, with 500 clients")

const (
	soakNewcomer = "newcomer"
	// soakPace is how long a client waits between two things that it does, on average.
	soakPace = time.Second
	// soakRSS is what the program may take of memory at most.
	soakRSS = 300 << 20
)

// soak is a site with everything going on, and what has become of it.
type soak struct {
	*site
	admin    string
	provider *devprovider.Server
	trust    *x509.CertPool
	ca       *ecdsa.PrivateKey
	caCert   *x509.Certificate
	servers  map[string]*soakServer
	people   []soakPerson
	watcher  *soaker // who looks whose turn it is
	over     chan struct{}
	serial   atomic.Int64 // of the certificate that was written last
	seen     atomic.Int64 // of the latest one that a client was shown

	mu     sync.Mutex
	turned []turned
	done   map[string]int
	losses map[string]int
	faults []string
	failed int
}

type soakPerson struct {
	name, cookie string
	tokens       []string // a JWT and an opaque one
}

// turned is how /turn/ is answered in an interval: by left, by right or by nobody.
type turned struct {
	interval
	by string
}

// soakConfig is what is loaded again every second. TURN, RULE and NUMBER differ.
const soakConfig = `
public_url: {{.URL}}
listen: {{.Listen}}
tls: {cert: "{{.Dir}}/cert.pem", key: "{{.Dir}}/key.pem"}
state_dir: {{.Dir}}/state
trusted_proxies: [127.0.0.2/32]
session: {recheck: 3s}
providers:
  - id: invent
    name: Invent NUMBER
    issuer: {{.Issuer}}
    client_id: proxy-web
    client_secret: {file: "{{.Dir}}/client-secret"}
    clients: [{client_id: native}]
    bearer: {cache_max: 3s}
policies:
  developers: groups contains teams/kde-developers
  admins: groups contains teams/sysadmins
upstreams:
  steady: {url: "http://{{.At "steady"}}"}
  twins: {url: ["http://{{.At "twins1"}}", "http://{{.At "twins2"}}"], timeout: 3NUMBERs}
  mortal: {url: "http://{{.At "mortal"}}"}
  left: {url: "http://{{.At "left"}}"}
  right: {url: "http://{{.At "right"}}"}
routes:
  - {path: /steady/, upstream: steady, allow: developers}
  - {path: /twins/, upstream: twins, allow: developers}
  - {path: /mortal/, upstream: mortal, allow: developers}
  - {path: /turn/, upstream: TURN, allow: RULE}
  - {path: /admins/, upstream: steady, allow: admins}
  - {path: /closed/, upstream: steady, allow: nobody}
  - {path: /asked/, allow: developers}
admin: {listen: {{.Admin}}}
`

// At, Admin and URL are for the configuration.
func (s *soak) At(server string) string { return s.servers[server].addr }
func (s *soak) Admin() string           { return s.admin }
func (s *soak) URL() string             { return s.url }

func newSoak(t *testing.T) *soak {
	t.Helper()
	port := freePort(t)
	s := &soak{
		site:  &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("https://localhost:%d", port), Listen: loopback(port)},
		admin: loopback(freePort(t)), servers: make(map[string]*soakServer), over: make(chan struct{}), done: make(map[string]int), losses: make(map[string]int),
		turned: []turned{{by: turnOf(0)}},
	}
	s.Dir = s.dir
	for _, name := range []string{"steady", "twins1", "twins2", "mortal", "left", "right"} {
		s.servers[name] = newSoakServer(t, name)
	}
	var people []devprovider.Person
	for i := range 12 {
		people = append(people, devprovider.Person{Name: fmt.Sprintf("person%d", i), Groups: []string{"teams/kde-developers", fmt.Sprintf("teams/of%d", i)}})
	}
	people = append(people, devprovider.Person{Name: soakNewcomer, Groups: []string{"teams/kde-developers"}})
	s.provider = devprovider.NewServer(devprovider.Options{Algorithm: "ES256", People: people, Clients: []devprovider.Client{
		{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{s.url + "/.auth/callback/invent"}, JWT: true, Audience: []string{"proxy-web"}},
		{ID: "native", Native: true},
	}})
	t.Cleanup(s.provider.Close)
	s.idp, s.Issuer = &idp{kind: "development provider", issuer: s.provider.Issuer()}, s.provider.Issuer()
	s.write("client-secret", "proxy-web-secret")
	s.leaks.add("proxy-web-secret")
	s.authority()
	s.renewCertificate()
	s.put("claimproxy.yaml", s.configured(0))
	return s
}

// configured is the nth configuration.
func (s *soak) configured(n int) string {
	s.t.Helper()
	by := turnOf(n)
	upstream, rule := by, "developers"
	if by == "nobody" {
		upstream, rule = "left", "nobody"
	}
	text := strings.NewReplacer("NUMBER", strconv.Itoa(n%10), "TURN", upstream, "RULE", rule).Replace(soakConfig)
	var b strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&b, s); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}

func turnOf(n int) string { return []string{"left", "right", "nobody"}[n%3] }

// TestSoak lets everything happen at once: people with sessions and programs with tokens
// ask, send, fetch, listen and talk, over HTTP/1.1 and HTTP/2, and a server in front asks
// about others; while every second another configuration is loaded, now and then one that
// is none, the certificate changes, and servers of upstreams die and come back.
//
// Nobody is answered for another, by another upstream than the configuration says, or with
// another's bytes. Nothing is lost but what could not be saved: a request to an upstream
// with one server while that is away; and, where there are two, one that may not be sent
// twice while one of them is away, and one that may, if it had been sent to a server
// in the moment when that went. No upload is carried out twice. And when all is over, nothing
// of it is left.
func TestSoak(t *testing.T) {
	clients, long := 60, 8*time.Second
	if *soakFor > 0 {
		clients, long = 500, *soakFor
	} else {
		t.Parallel()
	}
	s := newSoak(t)
	s.serve()
	s.signInAll()

	s.watcher = s.newSoaker(0, "")
	s.watcher.http.Transport.(*http.Transport).DisableKeepAlives = true

	// What is there when nobody is: after a little of everything, and a reload.
	s.run(len(soakKinds)*2, time.Second, 0)
	before := s.rest(t, nil)

	began := time.Now()
	most := s.run(clients, long, 1)
	after := s.rest(t, &before)
	s.report(t, time.Since(began), before, most, after)
	s.stop()
}

// serve starts the program.
func (s *soak) serve() {
	s.t.Helper()
	var err error
	if s.process, err = startProcess("claimproxy", s.dir, nil, binary(s.t), "serve", "--config", s.dir+"/claimproxy.yaml"); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.process.kill)
	s.process.showOnFailure(s.t)
	if err := s.process.ready("http://" + s.admin + "/healthz"); err != nil {
		s.t.Fatal(err)
	}
}

// signInAll gives everybody a session and tokens.
func (s *soak) signInAll() {
	s.t.Helper()
	for i := range 12 {
		p := soakPerson{name: fmt.Sprintf("person%d", i)}
		s.provider.SignInAs(p.name)
		jar, _ := cookiejar.New(nil)
		client := (&soaker{soak: s, addr: []byte{127, 0, 0, 1}}).client(false)
		client.Jar, client.CheckRedirect = jar, nil
		req := request(s.t, http.MethodGet, s.url+"/steady/page", nil, "Accept: text/html")
		send(s.t, client, req).wantStatus(s.t, http.StatusOK)
		client.CloseIdleConnections()
		for _, c := range jar.Cookies(mustParse(s.t, s.url)) {
			if c.Name == "__Host-claimproxy" {
				p.cookie = c.Name + "=" + c.Value
				s.leaks.add(c.Value)
			}
		}
		p.tokens = []string{s.provider.Issue(p.name, "proxy-web", "openid profile").AccessToken, s.provider.Issue(p.name, "native", "openid profile").AccessToken}
		s.leaks.add(p.tokens...)
		s.people = append(s.people, p)
	}
	s.provider.SignInAs(soakNewcomer)
}

// run has clients at work for a time, while everything changes. It returns what was there
// at most.
func (s *soak) run(clients int, long time.Duration, from int) (most level) {
	s.over = make(chan struct{})
	var work sync.WaitGroup
	shares := 0
	for _, k := range soakKinds {
		shares += k.share
	}
	for n := range clients {
		at := n % len(soakKinds) // at least one of each, and of the rest their share
		if n >= len(soakKinds) {
			at = 0
			for share := mathrand.IntN(shares); share >= soakKinds[at].share; at++ {
				share -= soakKinds[at].share
			}
		}
		kind := soakKinds[at]
		c := s.newSoaker(n, kind.name)
		work.Go(func() {
			defer c.http.CloseIdleConnections()
			for c.pause() {
				err := kind.do(c)
				s.note(kind.name, err)
			}
		})
	}
	work.Go(func() { s.die("twins1", "twins2") })
	work.Go(func() { s.die("mortal") })
	most = s.change(long, from)
	close(s.over)
	work.Wait()
	return most
}

// pause waits as clients do, until all is over.
func (c *soaker) pause() bool {
	select {
	case <-c.over:
		return false
	case <-time.After(time.Duration(mathrand.Int64N(int64(2 * soakPace)))):
		return true
	}
}

// die has servers go and come back, one after the other: gently where there is another one,
// and at once where there is none.
func (s *soak) die(names ...string) {
	for i := 0; ; i++ {
		u := s.servers[names[i%len(names)]]
		select {
		case <-s.over:
			return
		case <-time.After(2 * time.Second):
		}
		u.down(len(names) > 1)
		time.Sleep(time.Duration(300+mathrand.IntN(1200)) * time.Millisecond)
		if err := u.up(); err != nil {
			s.t.Errorf("%s does not come back: %v", u.name, err)
			return
		}
	}
}

// change loads a configuration every second, every fifth of which is none, and renews the
// certificate.
func (s *soak) change(long time.Duration, from int) (most level) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n, end := from, time.Now().Add(long); time.Now().Before(end); n++ {
		s.renewCertificate()
		if n%5 == 4 {
			s.loads(notLoaded, s.configured(n)+"routes: []\n")
		} else {
			s.mu.Lock()
			now := time.Now()
			s.turned = append(s.turned, turned{interval{from: now}, turnOf(n)})
			s.mu.Unlock()
			s.loads(loadedAgain, s.configured(n))
			// The log may have spoken of the load that the certificate was the reason for.
			eventually(s.t, patience, "the turn is of "+turnOf(n), func() bool { return s.turnNow() == turnOf(n) })
			s.mu.Lock()
			s.turned[len(s.turned)-2].to = time.Now()
			s.mu.Unlock()
		}
		most = most.max(s.level())
		<-second.C
	}
	return most
}

func (s *soak) loads(what, text string) {
	s.t.Helper()
	from := s.process.out.size()
	s.put("claimproxy.yaml", text)
	_ = s.process.signal(syscall.SIGHUP)
	for deadline := time.Now().Add(patience / 2); !strings.Contains(s.process.out.since(from), what); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = s.process.signal(syscall.SIGQUIT) // what does everybody wait for?
			<-s.process.ended
			s.t.Fatalf("not within %v: the log says %s\n%s", patience/2, what, s.process.out.since(from))
		}
	}
}

// turnNow asks whose turn it is.
func (s *soak) turnNow() string {
	c := s.watcher
	res, err := c.send(http.MethodGet, "/turn/page?n=now", nil, http.StatusOK, c.withToken())
	if err != nil {
		if strings.Contains(err.Error(), "got 403") {
			return "nobody"
		}
		return err.Error()
	}
	defer res.Body.Close()
	return res.Header.Get("X-Server")
}

// turns is who may have answered /turn/ at some time.
func (s *soak) turns(from, to time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	could := ""
	for _, t := range s.turned {
		if t.overlaps(from, to) {
			could += " " + t.by
		}
	}
	return could
}

// mayBeLost says whether a request to an upstream may have come to nothing.
func (s *soak) mayBeLost(upstream, method string, from, to time.Time) bool {
	switch upstream {
	case "mortal":
		return s.servers["mortal"].wasAway(from, to)
	case "twins":
		one, two := s.servers["twins1"], s.servers["twins2"]
		if method == http.MethodPost {
			return one.wasAway(from, to) || two.wasAway(from, to)
		}
		return one.wasGoing(from, to) || two.wasGoing(from, to)
	}
	return false
}

func (s *soak) lost(upstream, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses[method+" "+upstream]++
}

// note counts what somebody did, and remembers the first faults.
func (s *soak) note(kind string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[kind]++
	if err != nil {
		s.failed++
		if len(s.faults) < 20 {
			s.faults = append(s.faults, kind+": "+err.Error())
		}
	}
}

// level is what the program has of what could leak.
type level struct{ goroutines, descriptors, rss int }

func (l level) max(o level) level {
	return level{max(l.goroutines, o.goroutines), max(l.descriptors, o.descriptors), max(l.rss, o.rss)}
}

func (l level) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d MB", l.goroutines, l.descriptors, l.rss>>20)
}

func (s *soak) level() (l level) {
	s.t.Helper()
	for line := range strings.Lines(get(s.t, "http://"+s.admin+"/metrics").wantStatus(s.t, http.StatusOK).body) {
		if text, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			l.goroutines, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.process.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	l.descriptors = len(open)
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.process.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	l.rss = pages * os.Getpagesize()
	return l
}

var soakURL = regexp.MustCompile(`(\{url: "[^"]*")\}`)

// rest waits until what is idle has been let go of, which a configuration sees to that
// has other connections to all upstreams. It returns what is there then; no more than
// before, if that is known.
func (s *soak) rest(t *testing.T, before *level) (l level) {
	t.Helper()
	s.loads(loadedAgain, soakURL.ReplaceAllString(strings.Replace(s.configured(0), "timeout: 30s", "timeout: 29s", 1), "$1, timeout: 29s}"))
	s.loads(loadedAgain, s.configured(0))
	s.mu.Lock()
	s.turned = []turned{{by: turnOf(0)}}
	s.mu.Unlock()
	if before == nil {
		// As low as it gets.
		l = s.level()
		for range 20 {
			time.Sleep(250 * time.Millisecond)
			now := s.level()
			l.goroutines, l.descriptors, l.rss = min(l.goroutines, now.goroutines), min(l.descriptors, now.descriptors), now.rss
		}
		return l
	}
	deadline := time.Now().Add(patience)
	for l = s.level(); l.goroutines > before.goroutines+2 || l.descriptors > before.descriptors+2; l = s.level() {
		if time.Now().After(deadline) {
			t.Errorf("at rest there are %v, before there were %v", l, *before)
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	return l
}

func (s *soak) report(t *testing.T, long time.Duration, before, most, after level) {
	t.Helper()
	var table strings.Builder
	all := 0
	for _, k := range soakKinds {
		fmt.Fprintf(&table, "  %6d %s\n", s.done[k.name], k.name)
		all += s.done[k.name]
		if s.done[k.name] == 0 {
			t.Errorf("nobody did %s", k.name)
		}
	}
	t.Logf("in %v\n%s  %6d in all, %d wrong; lost with a dead server: %v\nbefore: %v\nat most: %v\nafter: %v\n%d certificates",
		long.Round(time.Second), &table, all, s.failed, s.losses, before, most, after, s.serial.Load())
	for _, f := range s.faults {
		t.Error(f)
	}
	for name, u := range s.servers {
		for nonce, times := range u.got {
			if times > 1 {
				t.Errorf("%s carried %s out %d times", name, nonce, times)
			}
		}
	}
	for nonce := range s.servers["twins1"].got {
		if s.servers["twins2"].got[nonce] > 0 {
			t.Errorf("both twins carried %s out", nonce)
		}
	}
	if !raceDetector && most.rss > soakRSS {
		t.Errorf("%d MB of memory, want less than %d", most.rss>>20, soakRSS>>20)
	}
	eventually(t, 10*time.Second, "the last certificate is shown", func() bool {
		s.turnNow()
		return s.seen.Load() == s.serial.Load()
	})
}

// authority makes who signs certificates.
func (s *soak) authority() {
	s.t.Helper()
	var err error
	if s.ca, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		s.t.Fatal(err)
	}
	s.caCert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "soak"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, s.caCert, s.caCert, &s.ca.PublicKey, s.ca)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.caCert, err = x509.ParseCertificate(der); err != nil {
		s.t.Fatal(err)
	}
	s.trust = x509.NewCertPool()
	s.trust.AddCert(s.caCert)
}

// renewCertificate writes a new certificate and its key, one after the other.
func (s *soak) renewCertificate() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	serial := s.serial.Add(1)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, s.caCert, &key.PublicKey, s.ca)
	if err != nil {
		s.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	s.put("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// sawCertificate notes which certificate a client is shown.
func (s *soak) sawCertificate(state tls.ConnectionState) error {
	serial := state.PeerCertificates[0].SerialNumber.Int64() - 1000
	for {
		seen := s.seen.Load()
		if serial <= seen || s.seen.CompareAndSwap(seen, serial) {
			return nil
		}
	}
}
