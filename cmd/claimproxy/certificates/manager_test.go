package certificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// safeBuffer is a log that several goroutines write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newManager makes a Manager that orders from an authority for these hosts.
func newManager(t *testing.T, a *authorityServer, c *clock, store Store, hosts ...string) (*Manager, *safeBuffer) {
	t.Helper()
	log := new(safeBuffer)
	a.now = c.now
	m := New(Config{
		Directory: a.URL + "/directory", Email: "admin@example.org", Log: slog.New(slog.NewTextHandler(log, nil)), Now: c.now,
		Roots: a.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	})
	t.Cleanup(m.client.CloseIdleConnections)
	m.Follow(Plan{Hosts: hosts, Store: store})
	return m, log
}

// served is the certificate that a client gets who names a host.
func served(t *testing.T, m *Manager, host string) *tls.Certificate {
	t.Helper()
	pair, err := m.Certificate(&tls.ClientHelloInfo{ServerName: host})
	if err != nil {
		return nil
	}
	return pair
}

func TestCertificatesAreOrderedKeptAndServed(t *testing.T) {
	a, c, dir := newAuthority(t), &clock{at: time.Now()}, t.TempDir()
	store := Directory(filepath.Join(dir, "acme"))
	m, log := newManager(t, a, c, store, "telemetry.example.org", "wiki.example.org")
	a.look = lookByTLS(m)
	if pair := served(t, m, "telemetry.example.org"); pair != nil {
		t.Error("there is a certificate before one was ordered")
	}
	m.tend(t.Context())
	for _, name := range []string{"telemetry.example.org", "WIKI.example.org."} {
		pair := served(t, m, name)
		if pair == nil {
			t.Fatalf("no certificate for %s: %s", name, log)
		}
		if err := pair.Leaf.VerifyHostname(strings.TrimSuffix(name, ".")); err != nil {
			t.Error(err)
		}
	}
	if pair := served(t, m, ""); pair == nil || pair.Leaf.VerifyHostname("telemetry.example.org") != nil {
		t.Error("who names no host does not get the first one's certificate")
	}
	for _, pattern := range []string{"acme/telemetry.example.org.pem", "acme/account-*.pem"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(files) != 1 {
			t.Fatalf("got %d files %s, want one", len(files), pattern)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v %v", files[0], info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "acme/proof-*")); len(left) > 0 {
		t.Errorf("proofs are left: %v", left)
	}

	again, _ := newManager(t, a, c, store, "telemetry.example.org")
	again.tend(t.Context())
	if served(t, again, "telemetry.example.org") == nil {
		t.Error("after a restart there is no certificate")
	}
	if got := a.ordered(); strings.Count(got, "telemetry.example.org") != 1 {
		t.Errorf("ordered %q, want each host once", got)
	}
}

// The attack: handshakes for names of the attacker's choosing, so that the authority's
// limits are used up.
func TestStrangersHaveNothingOrdered(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, _ := newManager(t, a, c, Directory(t.TempDir()), "telemetry.example.org")
	m.tend(t.Context())
	for _, name := range []string{"evil.example.org", "x.telemetry.example.org", "../telemetry.example.org", "*.example.org"} {
		for _, protocols := range [][]string{nil, {"h2"}, {"acme-tls/1"}} {
			pair, err := m.Certificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: protocols})
			if pair != nil || err != nil {
				t.Errorf("%s %v: got %v and %v, want nothing (unrecognized_name)", name, protocols, pair, err)
			}
		}
	}
	m.tend(t.Context())
	if got := a.ordered(); got != "telemetry.example.org" {
		t.Errorf("ordered %q, want telemetry.example.org alone", got)
	}
}

func TestCertificateIsRenewedBeforeItEnds(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, _ := newManager(t, a, c, Directory(t.TempDir()), "a.example.org")
	m.tend(t.Context())
	first := served(t, m, "a.example.org")
	c.advance(59 * 24 * time.Hour)
	m.tend(t.Context())
	if served(t, m, "a.example.org") != first {
		t.Error("it was replaced after 59 of 90 days")
	}
	c.advance(2 * 24 * time.Hour)
	m.tend(t.Context())
	if got := served(t, m, "a.example.org"); got == first || got.Leaf.NotAfter.Sub(c.now()) < 89*24*time.Hour {
		t.Error("it was not replaced after 61 of 90 days")
	}
}

func TestOldCertificateStaysWhileTheAuthorityIsIll(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, log := newManager(t, a, c, Directory(t.TempDir()), "a.example.org")
	m.tend(t.Context())
	first := served(t, m, "a.example.org")
	c.advance(61 * 24 * time.Hour)
	a.refusing("rateLimited")
	next := m.tend(t.Context())
	if served(t, m, "a.example.org") != first {
		t.Error("the old certificate is not served any more")
	}
	for _, want := range []string{"level=WARN", "a certificate could not be ordered", "host=a.example.org", `do="wait: `, "old_one_ends="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if s := m.States()[0]; s.Why == "" || !s.NotAfter.Equal(first.Leaf.NotAfter) {
		t.Errorf("got state %+v, want why, and when the old one ends", s)
	}
	// The authority has said how long to wait: two hours, and all hosts are looked at each hour.
	if got := next.Sub(c.now()); got != lookAtLeast {
		t.Errorf("looks again after %v", got)
	}
	before := a.ordered()
	c.advance(119 * time.Minute)
	m.tend(t.Context())
	if a.ordered() != before {
		t.Error("it was ordered again before the authority wanted to hear of it")
	}
	a.refusing("")
	c.advance(2 * time.Minute)
	m.tend(t.Context())
	if served(t, m, "a.example.org") == first {
		t.Error("it is not renewed when the authority is well again")
	}
}

func TestFailedOrdersHavePauses(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, _ := newManager(t, a, c, Directory(t.TempDir()), "a.example.org")
	m.tend(t.Context())
	c.advance(61 * 24 * time.Hour)
	a.refusing("serverInternal")
	for _, want := range []time.Duration{time.Minute, 3 * time.Minute, 9 * time.Minute, 27 * time.Minute} {
		next := m.tend(t.Context())
		if got := next.Sub(c.now()); got != want {
			t.Errorf("the next order is after %v, want %v", got, want)
		}
		c.advance(want)
	}
	for n, want := range map[int]time.Duration{1: time.Minute, 2: 3 * time.Minute, 4: 27 * time.Minute, 7: 6 * time.Hour, 1000: 6 * time.Hour} {
		if got := pause(n, errors.New("x")); got != want {
			t.Errorf("after %d failures: got %v, want %v", n, got, want)
		}
	}
}

func TestProofThatTheAuthorityCannotSeeIsExplained(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, log := newManager(t, a, c, Directory(t.TempDir()), "a.example.org")
	a.look = func(string, string, string) error { return errors.New("nobody is there") }
	m.tend(t.Context())
	for _, want := range []string{"level=ERROR", "nobody is there", "port 443"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// Two claimproxies that need the same certificate at the same time: one of them orders it.
func TestReplicasDoNotOrderAtOnce(t *testing.T) {
	a, c, store := newAuthority(t), &clock{at: time.Now()}, Directory(t.TempDir())
	one, _ := newManager(t, a, c, store, "a.example.org")
	two, _ := newManager(t, a, c, store, "a.example.org")
	var both sync.WaitGroup
	for _, m := range []*Manager{one, two} {
		both.Go(func() { m.tend(t.Context()) })
	}
	both.Wait()
	if got := a.ordered(); got != "a.example.org" {
		t.Errorf("ordered %q, want a.example.org once", got)
	}
	if x, y := served(t, one, "a.example.org"), served(t, two, "a.example.org"); x == nil || y == nil || !bytes.Equal(x.Certificate[0], y.Certificate[0]) {
		t.Error("they do not show the same certificate")
	}
}

// The authority may reach another claimproxy than the one that orders.
func TestEveryReplicaShowsTheProof(t *testing.T) {
	a, c, store := newAuthority(t), &clock{at: time.Now()}, Directory(t.TempDir())
	orders, _ := newManager(t, a, c, store, "a.example.org")
	other, _ := newManager(t, a, c, store, "a.example.org")
	a.look = lookByTLS(other)
	orders.tend(t.Context())
	if served(t, orders, "a.example.org") == nil {
		t.Error("the authority did not see the proof at the other one")
	}
	if err := a.look("a.example.org", "tls-alpn-01", ""); err == nil {
		t.Error("the proof is shown although no order is under way")
	}
}

func TestReloadChangesTheHosts(t *testing.T) {
	a, c, store := newAuthority(t), &clock{at: time.Now()}, Directory(t.TempDir())
	m, _ := newManager(t, a, c, store, "a.example.org")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	defer func() { stop(); <-done }()
	wait := func(host string) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); served(t, m, host) == nil; {
			if time.Now().After(limit) {
				t.Fatalf("there is no certificate for %s", host)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait("a.example.org")
	m.Follow(Plan{Hosts: []string{"b.example.org"}, Store: store})
	wait("b.example.org")
	if served(t, m, "a.example.org") != nil {
		t.Error("a host that is gone still has a certificate")
	}
	m.Follow(Plan{Hosts: []string{"a.example.org", "b.example.org"}, Store: store})
	wait("a.example.org")
	if got := a.ordered(); got != "a.example.org b.example.org" {
		t.Errorf("ordered %q, want each once", got)
	}
}

func TestKeptCertificateThatIsBrokenIsOrderedAnew(t *testing.T) {
	a, c, store := newAuthority(t), &clock{at: time.Now()}, Directory(t.TempDir())
	if err := store.Put(t.Context(), certificateOf("a.example.org"), []byte("half written"), 0); err != nil {
		t.Fatal(err)
	}
	m, log := newManager(t, a, c, store, "a.example.org")
	m.tend(t.Context())
	if served(t, m, "a.example.org") == nil || !strings.Contains(log.String(), "cannot be used") {
		t.Errorf("it was not ordered anew: %s", log)
	}
}

// A connection on port 443 may be ended by something in front: then it is plain HTTP's turn.
func TestProofIsShownInTheOtherWayAfterAFailure(t *testing.T) {
	a, c := newAuthority(t), &clock{at: time.Now()}
	m, log := newManager(t, a, c, Directory(t.TempDir()), "a.example.org")
	m.c.Plain = true
	a.look = func(host, kind, token string) error {
		text, err := m.Proof(t.Context(), host, token)
		if other, _ := m.Proof(t.Context(), host, token+"x"); other != "" {
			t.Errorf("another token gets %q", other)
		}
		if err != nil || kind == "http-01" && !strings.HasPrefix(text, token+".") || kind != "http-01" && text != "" {
			t.Errorf("%s: got %q and %v", kind, text, err)
		}
		if kind != "http-01" {
			return errors.New("something else ends TLS")
		}
		return nil
	}
	m.tend(t.Context())
	if served(t, m, "a.example.org") != nil {
		t.Fatal("the authority saw what it did not look for")
	}
	c.advance(pauseFirst)
	m.tend(t.Context())
	if served(t, m, "a.example.org") == nil {
		t.Errorf("there is no certificate: %s", log)
	}
	if text, _ := m.Proof(t.Context(), "a.example.org", "token-of-a.example.org"); text != "" {
		t.Errorf("the proof is shown for ever: %q", text)
	}
}
