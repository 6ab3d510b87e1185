package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/sync/errgroup"
)

// Config is what a Manager is made of.
type Config struct {
	// Directory is the URL at which the authority says where everything else is (RFC 8555
	// section 7.1.1).
	Directory string
	// Email is told to the authority as the way to reach whoever runs this. Registering it
	// agrees to the authority's terms of service.
	Email string
	// Binding is the account that the authority knows already; nil where it wants none.
	Binding *Binding
	// Roots are trusted to speak for the authority, in place of the system's; nil for those.
	Roots *x509.CertPool
	// Plain says that there is a listener for plain HTTP, which asks for each Proof.
	Plain bool
	// Agent names this program to the authority.
	Agent string
	// Log is told what was ordered, and what could not be.
	Log *slog.Logger
	// Now is the time; nil is the clock's.
	Now func() time.Time
}

// Binding is what an authority has given out so that an account here belongs to one there
// (RFC 8555 section 7.3.4).
type Binding struct {
	KeyID string
	Key   []byte
}

// Plan is which certificates are wanted.
type Plan struct {
	// Hosts are names in lower case, in no form but the one that clients send. The first
	// is also for whoever names none.
	Hosts []string
	// Store keeps what was ordered.
	Store Store
}

// Manager has a certificate for each host of its plan, as soon as the authority gives one.
// It is safe for concurrent use.
type Manager struct {
	c       Config
	client  *http.Client
	changed chan struct{} // the plan was

	// opening is held while the account is opened.
	opening sync.Mutex
	account *account

	mu    sync.RWMutex
	plan  Plan
	hosts map[string]*host
	// proofs are what the authority may ask for now, by host.
	proofs map[string]*proof
}

// host is a name and its certificate.
type host struct {
	pair *tls.Certificate // with its leaf; nil: there is none yet
	// failures are the orders in a row that failed; the next one is not before again. why
	// is how the last one did.
	failures int
	again    time.Time
	why      string
}

// New makes a Manager that has no plan.
func New(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{
		c: c, client: newClient(c.Roots), changed: make(chan struct{}, 1),
		hosts: make(map[string]*host), proofs: make(map[string]*proof),
	}
}

// Follow has another plan followed. What is known of hosts that are in both stays.
func (m *Manager) Follow(p Plan) {
	m.mu.Lock()
	known := m.hosts
	m.hosts = make(map[string]*host, len(p.Hosts))
	for _, name := range p.Hosts {
		if m.hosts[name] = known[name]; m.hosts[name] == nil {
			m.hosts[name] = new(host)
		}
	}
	m.plan = p
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// Certificate answers a handshake: tls.Config.GetCertificate. For a name that the plan does
// not have there is none, and the client is told so (unrecognized_name).
func (m *Manager) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	m.mu.RLock()
	if name == "" && len(m.plan.Hosts) > 0 {
		name = m.plan.Hosts[0]
	}
	h := m.hosts[name]
	var pair *tls.Certificate
	if h != nil {
		pair = h.pair
	}
	m.mu.RUnlock()
	switch {
	case h == nil:
		return nil, nil
	case slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}):
		return m.proofByTLS(hello.Context(), name)
	case pair == nil:
		return nil, fmt.Errorf("there is no certificate for %q yet", name)
	}
	return pair, nil
}

// State is how it stands with a host.
type State struct {
	Host string
	// NotAfter is when its certificate ends; zero: there is none.
	NotAfter time.Time
	// Why is why the last order failed; empty where it did not.
	Why string
}

// States is how it stands with each host, in the order of the plan.
func (m *Manager) States() []State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]State, 0, len(m.plan.Hosts))
	for _, name := range m.plan.Hosts {
		h := m.hosts[name]
		s := State{Host: name, Why: h.why}
		if h.pair != nil {
			s.NotAfter = h.pair.Leaf.NotAfter
		}
		all = append(all, s)
	}
	return all
}

const (
	// atOnce is how many orders are under way at a time.
	atOnce = 4
	// orderPatience bounds one of them, the wait for its turn included.
	orderPatience = 5 * time.Minute
	// lookAtLeast is how often all hosts are looked at, whatever is known about them.
	lookAtLeast = time.Hour
)

// Run looks after the certificates until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	defer m.client.CloseIdleConnections()
	for {
		timer := time.NewTimer(m.tend(ctx).Sub(m.c.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-m.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tend looks at every host, orders what is due, and returns when to look again.
func (m *Manager) tend(ctx context.Context) time.Time {
	m.mu.RLock()
	plan := m.plan
	m.mu.RUnlock()
	var orders errgroup.Group
	orders.SetLimit(atOnce)
	for _, name := range plan.Hosts {
		if ctx.Err() == nil && !m.c.Now().Before(m.due(name)) {
			orders.Go(func() error { m.see(ctx, plan.Store, name); return nil })
		}
	}
	_ = orders.Wait()
	next := m.c.Now().Add(lookAtLeast)
	for _, name := range plan.Hosts {
		if due := m.due(name); due.Before(next) {
			next = due
		}
	}
	return next
}

// due is when a host is to be looked at. What the plan no longer has is never.
func (m *Manager) due(name string) time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h := m.hosts[name]
	if h == nil {
		return m.c.Now().Add(lookAtLeast)
	}
	due := h.again
	if h.pair != nil {
		if renew := renewal(h.pair.Leaf); renew.After(due) {
			due = renew
		}
	}
	return due
}

// renewal is when a certificate is replaced: a third of its life before its end, and not
// more than 30 days.
func renewal(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotAfter.Add(-min(life/3, 30*24*time.Hour))
}

// see gets the certificate of a host that is due: out of the store, where this or another
// claimproxy has put it, or from the authority.
func (m *Manager) see(ctx context.Context, store Store, name string) {
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	pair, err := m.kept(ctx, store, name)
	if err == nil && (pair == nil || !m.c.Now().Before(renewal(pair.Leaf))) {
		if pair != nil {
			m.serveMeanwhile(name, pair)
		}
		err = alone(ctx, store, name, func(ctx context.Context) error {
			// Another one may have had the turn before.
			if pair, err = m.kept(ctx, store, name); err != nil || pair != nil && m.c.Now().Before(renewal(pair.Leaf)) {
				return err
			}
			pair, err = m.order(ctx, store, name)
			return err
		})
	}
	switch {
	case err == nil:
		m.serve(name, pair)
	case !errors.Is(err, context.Canceled):
		m.failed(name, err)
	}
}

// kept is the certificate of a host that the store has, nil for none that is good.
func (m *Manager) kept(ctx context.Context, store Store, name string) (*tls.Certificate, error) {
	data, err := get(ctx, store, certificateOf(name))
	if err != nil || data == nil {
		return nil, err
	}
	pair, err := decode(data, name)
	if err != nil {
		m.c.Log.Warn("the certificate that was kept cannot be used; another one is ordered", "host", name, "error", err)
		return nil, nil
	}
	if m.c.Now().After(pair.Leaf.NotAfter) {
		return nil, nil
	}
	return pair, nil
}

func (m *Manager) serve(name string, pair *tls.Certificate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hosts[name]; h != nil {
		h.pair, h.failures, h.again, h.why = pair, 0, time.Time{}, ""
	}
}

// serveMeanwhile has a certificate served that is to be replaced, where there is none.
func (m *Manager) serveMeanwhile(name string, pair *tls.Certificate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hosts[name]; h != nil && h.pair == nil {
		h.pair = pair
	}
}

// failed notes that there is no new certificate, and says what to do.
func (m *Manager) failed(name string, err error) {
	m.mu.Lock()
	h := m.hosts[name]
	if h == nil {
		m.mu.Unlock()
		return // nobody wants it any more
	}
	now := m.c.Now()
	h.failures++
	h.again = now.Add(pause(h.failures, err))
	h.why = err.Error()
	again, ends, level := h.again, "", slog.LevelError
	if h.pair != nil {
		left := h.pair.Leaf.NotAfter.Sub(now)
		ends = h.pair.Leaf.NotAfter.UTC().Format(time.RFC3339)
		if left > h.pair.Leaf.NotAfter.Sub(renewal(h.pair.Leaf))/2 {
			level = slog.LevelWarn // it has just begun
		}
	}
	m.mu.Unlock()
	m.c.Log.Log(context.Background(), level, "a certificate could not be ordered", "host", name, "error", err,
		"do", advice(err), "again", again.UTC().Format(time.RFC3339), "old_one_ends", ends)
}

// The pauses between orders that fail become three times as long each time. Let's Encrypt
// bears five in an hour for each host.
const (
	pauseFirst = time.Minute
	pauseLast  = 6 * time.Hour
)

// pause is how long to wait after so many failures in a row; longer where the authority
// says so.
func pause(failures int, err error) time.Duration {
	d := pauseFirst
	for ; failures > 1 && d < pauseLast; failures-- {
		d *= 3
	}
	d = min(d, pauseLast)
	var refused *acme.Error
	if errors.As(err, &refused) {
		if wait, limited := acme.RateLimit(refused); limited {
			d = max(d, min(wait, 24*time.Hour))
		}
	}
	return d
}
