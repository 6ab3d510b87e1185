package redis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// A master dies, Sentinel has its replica take over, and people go on.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	_, port, _ := net.SplitHostPort(master.addr)
	second := startServer(t, "--replicaof", "127.0.0.1 "+port)
	c := second.client(t)
	waitFor(t, "the replica", func() bool {
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor sessions 127.0.0.1 %s 1\n"+
		"sentinel down-after-milliseconds sessions 300\nsentinel failover-timeout sessions 2000\n", port), 0o600))
	sentinel := &server{name: "sentinel", dir: t.TempDir()}
	sentinelPort := freePort(t)
	sentinel.addr = "127.0.0.1:" + sentinelPort
	sentinel.args = []string{"--port", sentinelPort, "--bind", "127.0.0.1"}
	sentinel.startAs(t, conf, "--sentinel")
	t.Cleanup(sentinel.kill)
	watcher := sentinel.client(t)
	waitFor(t, "the sentinel to know the replica", func() bool {
		return strings.Contains(watcher.Info(t.Context(), "sentinel").Val(), "slaves=1")
	})

	o := redis.Options{Addrs: []string{"127.0.0.1:1", sentinel.addr}, Master: "sessions"}
	here, there := replica(t, open(t, o)), replica(t, open(t, o))
	jane, john := signIn(t, here, "jane"), signIn(t, here, "john")
	wantPerson(t, there, jane, "jane")
	wantPerson(t, here, john, "john")
	must(t, master.client(t).Do(t.Context(), "WAIT", 1, 2000).Err())

	begin := time.Now()
	master.kill()
	wantPerson(t, here, john, "john")
	waitFor(t, "a login at the new master", func() bool {
		w := newRecorder()
		return here.Start(w, requestWith(""), person("late")) == nil
	})
	t.Logf("logins were possible again %s after the master had died", time.Since(begin).Round(time.Millisecond))
	for _, s := range []*session.Store{here, there} {
		waitFor(t, "the sessions", func() bool { return outcome(s, jane) == "" && outcome(s, john) == "" })
	}
	waitFor(t, "a sign-out", func() bool { return here.End(newRecorder(), requestWith(jane)) == nil })
	waitFor(t, "that it is heard", func() bool { return outcome(there, jane) == session.ReasonSessionEnded })
	// And now within a second again.
	next := signIn(t, there, "jane")
	wantPerson(t, here, next, "jane")
	signOut(t, there, next)
	waitFor(t, "that it is heard", func() bool { return outcome(here, next) == session.ReasonSessionEnded })
}

// cluster starts three masters and tells them of each other.
func cluster(t *testing.T) (nodes []*server) {
	t.Helper()
	for range 3 {
		nodes = append(nodes, startServer(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t), "--cluster-node-timeout", "2000"))
	}
	const slots = 16384
	for i, n := range nodes {
		c := n.client(t)
		must(t, c.ClusterAddSlotsRange(t.Context(), i*slots/3, (i+1)*slots/3-1).Err())
		must(t, c.Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i > 0 {
			host, port, _ := net.SplitHostPort(nodes[0].addr)
			bus := nodes[0].args[len(nodes[0].args)-3]
			must(t, c.Do(t.Context(), "CLUSTER", "MEET", host, port, bus).Err())
		}
	}
	for _, n := range nodes {
		c := n.client(t)
		waitFor(t, "the cluster", func() bool {
			info := c.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return nodes
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := cluster(t)
	o := redis.Options{Addrs: []string{"127.0.0.1:1", nodes[1].addr}, Cluster: true}
	b, other := open(t, o), open(t, o)
	here, there := replica(t, b), replica(t, other)

	const people = 60
	tag := session.Tag{4}
	var cookies []string
	for n := range people {
		cookies = append(cookies, signIn(t, here, fmt.Sprint("person-", n)))
		must(t, b.Create(t.Context(), key(byte(n)), entry("a", time.Hour, tag)))
	}
	for n, c := range cookies {
		wantPerson(t, there, c, fmt.Sprint("person-", n))
	}
	for _, n := range nodes {
		if size := n.client(t).DBSize(t.Context()).Val(); size < 10 {
			t.Errorf("a node has %d keys: sessions do not spread over the slots", size)
		}
	}
	if n := counts(t, b); n != 2*people {
		t.Errorf("got %d sessions, want %d", n, 2*people)
	}
	for _, c := range cookies {
		signOut(t, here, c)
		wantSoon(t, there, c, session.ReasonSessionEnded)
	}
	must(t, b.Delete(t.Context(), key(0)))
	if keys, err := other.Find(t.Context(), tag); err != nil || len(keys) != people-1 {
		t.Errorf("found %d sessions by a tag, %v, want %d", len(keys), err, people-1)
	}
	must(t, other.Exclusive(t.Context(), key(1), func(ctx context.Context) error {
		return b.Exclusive(ctx, key(2), func(context.Context) error { return nil })
	}))

	// A node that dies takes its sessions with it; the others are served.
	kept := make([]string, 40)
	for i := range kept {
		kept[i] = signIn(t, here, "jane")
	}
	nodes[2].kill()
	for _, cookie := range kept {
		got := outcome(there, cookie)
		if got != "" && got != session.ReasonStoreUnavailable {
			t.Errorf("got %q", got)
		}
	}
}

func TestClusterKeepsTheRules(t *testing.T) {
	if testing.Short() {
		t.Skip("the rules are tested on one server")
	}
	t.Parallel()
	nodes := cluster(t)
	addrs := []string{nodes[0].addr, nodes[1].addr, nodes[2].addr}
	storetest.RunTests(t, func(t *testing.T) session.Backend {
		p := prefix()
		var all []session.Backend
		b := open(t, redis.Options{Addrs: addrs, Cluster: true, Prefix: p})
		for _, n := range nodes {
			all = append(all, onClock{b, n.client(t), p})
		}
		return onClocks{b, all}
	})
}

// onClocks is onClock for every node.
type onClocks struct {
	*redis.Backend
	nodes []session.Backend
}

func (b onClocks) Sweep(ctx context.Context, now time.Time) (int, error) {
	n := 0
	for _, node := range b.nodes {
		swept, err := node.Sweep(ctx, now)
		n += swept
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// certificates writes an authority and a certificate for 127.0.0.1 into a directory.
func certificates(t *testing.T) (dir string, roots *x509.CertPool) {
	t.Helper()
	dir = t.TempDir()
	template := func(serial int64, authority bool) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("test ", serial)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: authority, BasicConstraintsValid: authority, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
	}
	write := func(name, kind string, der []byte) {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca, err := x509.CreateCertificate(rand.Reader, template(1, true), template(1, true), caKey.Public(), caKey)
	must(t, err)
	parent, err := x509.ParseCertificate(ca)
	must(t, err)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, template(2, false), parent, own.Public(), caKey)
	must(t, err)
	der, err := x509.MarshalECPrivateKey(own)
	must(t, err)
	write("ca.pem", "CERTIFICATE", ca)
	write("cert.pem", "CERTIFICATE", cert)
	write("key.pem", "EC PRIVATE KEY", der)
	roots = x509.NewCertPool()
	roots.AddCert(parent)
	return dir, roots
}

// TLS with an authority of one's own, and an ACL user who may do no more than the
// advice of NOPERM says.
func TestTLSAndACL(t *testing.T) {
	needServer(t)
	dir, roots := certificates(t)
	s := &server{name: "tls", dir: t.TempDir()}
	port := freePort(t)
	s.addr = "127.0.0.1:" + port
	file := func(name string) string { return filepath.Join(dir, name) }
	s.args = []string{
		"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--tls-auth-clients", "no",
		"--tls-cert-file", file("cert.pem"), "--tls-key-file", file("key.pem"), "--tls-ca-cert-file", file("ca.pem"),
		"--user", "default", "off",
		"--user", "claimproxy", "on", ">" + password, "~claimproxy:*", "&claimproxy:*", "+@read", "+@write", "+@pubsub", "+@connection", "+@scripting",
	}
	s.start(t)
	t.Cleanup(s.kill)

	o := redis.Options{Addrs: []string{s.addr}, Username: "claimproxy", Password: password, TLS: &tls.Config{RootCAs: roots}}
	here, there := replica(t, open(t, o)), replica(t, open(t, o))
	jane := signIn(t, here, "jane")
	wantPerson(t, there, jane, "jane")
	b := open(t, o)
	must(t, b.Exclusive(t.Context(), key(1), func(context.Context) error { return nil }))
	must(t, b.Create(t.Context(), key(1), entry("a", time.Hour, session.Tag{1})))
	_, err := b.Find(t.Context(), session.Tag{1})
	must(t, err)
	signOut(t, there, jane)
	wantSoon(t, here, jane, session.ReasonSessionEnded)

	for name, o := range map[string]redis.Options{
		"an authority that is not trusted": {Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLS: &tls.Config{RootCAs: x509.NewCertPool()}},
		"no TLS":                           {Addrs: o.Addrs, Username: o.Username, Password: o.Password},
		"another password":                 {Addrs: o.Addrs, Username: o.Username, Password: "not-" + password, TLS: o.TLS},
	} {
		log := new(logged)
		o.Log = log.logger()
		want(t, replica(t, openNow(t, o)), jane, session.ReasonStoreUnavailable)
		wantLog(t, log, "the session store cannot be used")
		if name == "an authority that is not trusted" {
			wantLog(t, log, "certificate signed by unknown authority")
		}
	}
}
