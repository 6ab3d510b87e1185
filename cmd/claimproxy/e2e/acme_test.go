package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pebble is an authority that speaks ACME, for tests: Let's Encrypt's own.
var pebble = tool{
	name:    "pebble",
	present: func() bool { return onPath("pebble") && onPath("pebble-challtestsrv") },
	install: "apt-get install --no-install-recommends pebble",
}

// acmeAuthority is a pebble that finds every name on this machine, and looks there for
// proofs at the ports of one site.
type acmeAuthority struct {
	t          *testing.T
	directory  string
	management string
	ca         string // the file that its own server is to be trusted by
	client     *http.Client
	out        *output
}

// startAuthority starts one that looks at these ports, and wants an external account where
// keys are given.
func startAuthority(t *testing.T, tlsPort, httpPort int, keys map[string]string) *acmeAuthority {
	t.Helper()
	need(t, pebble)
	s := &site{t: t, dir: t.TempDir()}
	trust := s.certificate("localhost")
	dns, ports := freePort(t), [3]int{freePort(t), freePort(t), freePort(t)}
	names, err := startProcess("pebble-challtestsrv", s.dir, nil, "pebble-challtestsrv", "-defaultIPv6", "", "-dns01", loopback(dns),
		"-management", loopback(ports[2]), "-http01", "", "-https01", "", "-tlsalpn01", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(names.kill)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": loopback(ports[0]), "managementListenAddress": loopback(ports[1]), "certificate": s.dir + "/cert.pem", "privateKey": s.dir + "/key.pem",
		"httpPort": httpPort, "tlsPort": tlsPort, "externalAccountBindingRequired": len(keys) > 0, "externalAccountMACKeys": keys,
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProcess("pebble", s.dir, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0"}, "pebble",
		"-strict", "-config", s.write("pebble.json", string(config)), "-dnsserver", loopback(dns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	a := &acmeAuthority{
		t: t, ca: s.dir + "/cert.pem", out: &p.out,
		directory: fmt.Sprintf("https://localhost:%d/dir", ports[0]), management: fmt.Sprintf("https://localhost:%d", ports[1]),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}}},
	}
	t.Cleanup(a.client.CloseIdleConnections)
	for deadline := time.Now().Add(patience); ; {
		res, err := a.client.Get(a.directory)
		if err == nil {
			res.Body.Close()
			return a
		}
		if time.Now().After(deadline) || !p.running() {
			t.Fatalf("pebble does not answer: %v\n%s", err, p.out.since(0))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// roots are what browsers would trust certificates of this authority by.
func (a *acmeAuthority) roots() *x509.CertPool {
	a.t.Helper()
	res, err := a.client.Get(a.management + "/roots/0")
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	pem, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		a.t.Fatalf("pebble's root is %q", pem)
	}
	return pool
}

// orderRequest is what pebble logs of each order that it has taken: it refuses some at first.
const orderRequest = `Added order "`

// acmeSite is a site that orders its certificates.
func acmeSite(t *testing.T, a *acmeAuthority, port int, more string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("https://telemetry.example.test:%d", port), Listen: loopback(port), Recorder: newRecorder(t).url}
	s.Dir = s.dir
	s.config = `
public_url: https://telemetry.example.test:{{.Port}}
listen: {{.Listen}}
state_dir: {{.Dir}}/state
admin: {listen: "` + loopback(freePort(t)) + `"}
tls: {acme: {email: admin@example.test, directory: "` + a.directory + `", ca: ` + a.ca + more + `}}
routes:
  - {host: [telemetry.example.test, wiki.example.test], upstream: "{{.Recorder}}", allow: public}
`
	return s
}

// leaf is the certificate that a host has, as a client sees it that trusts the authority;
// nil as long as there is none.
func (s *site) leaf(host string, trust *x509.CertPool) *x509.Certificate {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.Listen, &tls.Config{ServerName: host, RootCAs: trust, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// waitForLeaf waits for it.
func (s *site) waitForLeaf(host string, trust *x509.CertPool) *x509.Certificate {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if leaf := s.leaf(host, trust); leaf != nil {
			return leaf
		}
	}
	s.t.Fatalf("there is no certificate for %s\n%s", host, s.process.out.since(0))
	return nil
}

func TestCertificatesComeFromARealAuthority(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	a := startAuthority(t, port, freePort(t), nil)
	s := acmeSite(t, a, port, "")
	s.start()
	trust := a.roots()
	first := s.waitForLeaf("telemetry.example.test", trust)
	s.waitForLeaf("wiki.example.test", trust)

	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trust},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Listen)
		},
	}}
	defer client.CloseIdleConnections()
	res, err := client.Get(s.url + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Errorf("got %s with status %d, want HTTP/2 and 200", res.Proto, res.StatusCode)
	}

	// A stranger's name is no reason to order anything.
	before := strings.Count(a.out.since(0), orderRequest)
	if before != 2 {
		t.Errorf("%d orders for two hosts", before)
	}
	for range 3 {
		if leaf := s.leaf("evil.example.test", trust); leaf != nil {
			t.Errorf("got a certificate for %v", leaf.DNSNames)
		}
	}

	// What was ordered is found again.
	s.restart()
	if again := s.waitForLeaf("telemetry.example.test", trust); !again.Equal(first) {
		t.Error("after a restart there is another certificate")
	}
	if after := strings.Count(a.out.since(0), orderRequest); after != before {
		t.Errorf("%d more orders after a restart and handshakes for a stranger's name, want none", after-before)
	}
	files, _ := filepath.Glob(filepath.Join(s.dir, "state", "acme", "*"))
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v; want that others cannot read it", file, info.Mode(), err)
		}
	}

	// Another host is ordered when the configuration names it.
	s.put("claimproxy.yaml", strings.Replace(s.filledIn(), "wiki.example.test]", "wiki.example.test, grafana.example.test]", 1))
	s.waitForLeaf("grafana.example.test", trust)
}

func TestAuthorityThatWantsAnExternalAccount(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	a := startAuthority(t, port, freePort(t), map[string]string{"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
	s := acmeSite(t, a, port, `, external_account: {key_id: kid-1, key: {file: {{.Dir}}/mac}}`)
	s.write("mac", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n")
	s.leaks.add("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
	s.start()
	s.waitForLeaf("telemetry.example.test", a.roots())
}

// The authority looks for proofs where nobody is.
func TestAuthorityThatDoesNotReachUs(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	a := startAuthority(t, freePort(t), freePort(t), nil)
	s := acmeSite(t, a, port, "")
	s.start()
	eventually(t, patience, "both orders fail", func() bool {
		return strings.Count(s.process.out.since(0), "a certificate could not be ordered") == 2
	})
	log := s.process.out.since(0)
	for _, want := range []string{`"host":"telemetry.example.test"`, "port 443", "tls-alpn-01"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// Two claimproxies that share a Redis, of which the authority reaches one alone: it shows
// what the other one has ordered, each host is ordered once, and both have its certificate.
func TestReplicasOrderOnce(t *testing.T) {
	t.Parallel()
	ports := [2]int{freePort(t), freePort(t)}
	a := startAuthority(t, ports[0], freePort(t), nil)
	first, second := acmeSite(t, a, ports[0], ""), acmeSite(t, a, ports[1], "")
	r := newRedis(t, first)
	secret := freshSecret(t, first, second)
	for _, s := range []*site{first, second} {
		s.config += "session: " + r.session(s, "") + "\n"
		s.write("session-secret", secret)
	}
	trust := a.roots()
	first.start()
	second.start()
	for _, host := range []string{"telemetry.example.test", "wiki.example.test"} {
		if one, two := first.waitForLeaf(host, trust), second.waitForLeaf(host, trust); !one.Equal(two) {
			t.Errorf("they show different certificates for %s", host)
		}
	}
	if n := strings.Count(a.out.since(0), orderRequest); n != 2 {
		t.Errorf("%d orders for two hosts, want 2", n)
	}
	// Nobody who reads the Redis has a key.
	second.stop()
	first.stop()
	r.stop(t)
	for _, dir := range []string{r.dir, first.dir + "/state", second.dir + "/state"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if data, _ := os.ReadFile(path); strings.Contains(string(data), "PRIVATE KEY") {
				t.Errorf("%s has a private key in plain", path)
			}
			return nil
		})
	}
}

// TLS does not reach claimproxy, and plain HTTP does. The first attempt fails, and a minute
// later the other way is taken; the redirect listener leads people to https meanwhile.
func TestAuthorityThatReachesPlainHTTPAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	port, plain := freePort(t), freePort(t)
	a := startAuthority(t, freePort(t), plain, nil)
	s := acmeSite(t, a, port, "")
	s.config += "redirect_http: " + loopback(plain) + "\n"
	s.start()
	ask := func(method, host, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+loopback(plain)+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	if res := ask("GET", "telemetry.example.test", "/a?b"); res.StatusCode != 301 || res.Header.Get("Location") != s.url+"/a?b" {
		t.Errorf("got %d to %q, want 301 to %s/a?b", res.StatusCode, res.Header.Get("Location"), s.url)
	}
	if res := ask("POST", "wiki.example.test", "/a"); res.StatusCode != 308 || res.Header.Get("Location") != strings.Replace(s.url, "telemetry", "wiki", 1)+"/a" {
		t.Errorf("got %d to %q, want 308 to wiki", res.StatusCode, res.Header.Get("Location"))
	}
	if res := ask("GET", "evil.example.test", "/"); res.StatusCode != 421 || res.Header.Get("Location") != "" {
		t.Errorf("got %d to %q for a stranger's host, want 421", res.StatusCode, res.Header.Get("Location"))
	}
	trust := a.roots()
	eventually(t, 2*patience, "there is a certificate by plain HTTP", func() bool { return s.leaf("telemetry.example.test", trust) != nil })
}
