package certificates

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

// order has a certificate for a host made, and keeps it (RFC 8555 section 7.4). Whoever
// calls it has the host's turn.
func (m *Manager) order(ctx context.Context, store Store, name string) (*tls.Certificate, error) {
	client, err := m.open(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(name))
	if err != nil {
		return nil, err
	}
	for _, url := range order.AuthzURLs {
		if err := m.prove(ctx, client, store, name, url); err != nil {
			return nil, err
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := client.CreateOrderCert(ctx, order.FinalizeURL, request, true)
	if err != nil {
		return nil, err
	}
	data, err := encode(chain, key)
	if err != nil {
		return nil, err
	}
	pair, err := decode(data, name)
	if err != nil {
		return nil, fmt.Errorf("the authority's answer: %w", err)
	}
	// Whether or not it can be kept, it can be used.
	if err := put(ctx, store, certificateOf(name), data, pair.Leaf.NotAfter.Sub(m.c.Now())); err != nil {
		m.c.Log.Error("a certificate cannot be kept: another one will be ordered after a restart", "host", name, "error", err)
	}
	m.c.Log.Info("a certificate was ordered", "host", name, "ends", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	return pair, nil
}

// prove shows the authority that a host is ours, in the way whose turn it is: each of them
// is tried alone, since every failure counts against the host there.
func (m *Manager) prove(ctx context.Context, client *acme.Client, store Store, name, url string) error {
	authorization, err := client.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	if authorization.Status == acme.StatusValid {
		return nil // shown a while ago
	}
	kind := m.kind(name)
	for _, challenge := range authorization.Challenges {
		if challenge.Type != kind {
			continue
		}
		p, err := newProof(client, challenge, name)
		if err != nil {
			return err
		}
		if err := m.offer(ctx, store, name, p); err != nil {
			return err
		}
		defer m.withdraw(ctx, store, name)
		if _, err := client.Accept(ctx, challenge); err != nil {
			return err
		}
		if _, err := client.WaitAuthorization(ctx, authorization.URI); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		return nil
	}
	return fmt.Errorf("%s: the authority does not offer this way to show whose a host is", kind)
}

const (
	// kindTLS is shown on the listener that speaks TLS (RFC 8737).
	kindTLS = "tls-alpn-01"
	// kindHTTP is shown over plain HTTP (RFC 8555 section 8.3).
	kindHTTP = "http-01"
)

// kind is the way whose turn it is to show whose a host is.
func (m *Manager) kind(name string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if h := m.hosts[name]; m.c.Plain && h != nil && h.failures%2 == 1 {
		return kindHTTP
	}
	return kindTLS
}

// account is what orders are made with.
type account struct {
	store  Store
	client *acme.Client
}

// open returns the client of this authority's account, which is made when the store has
// none. Making it agrees to the authority's terms.
func (m *Manager) open(ctx context.Context, store Store) (*acme.Client, error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.account != nil && m.account.store == store {
		return m.account.client, nil
	}
	client := &acme.Client{DirectoryURL: m.c.Directory, HTTPClient: m.client, UserAgent: m.c.Agent, RetryBackoff: retry}
	err := alone(ctx, store, "account", func(ctx context.Context) (err error) {
		client.Key, err = accountKey(ctx, store, m.c.Directory)
		return err
	})
	if err != nil {
		return nil, err
	}
	wanted := &acme.Account{Contact: []string{"mailto:" + m.c.Email}}
	if b := m.c.Binding; b != nil {
		wanted.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: b.KeyID, Key: b.Key}
	}
	if _, err := client.Register(ctx, wanted, acme.AcceptTOS); err != nil && err != acme.ErrAccountAlreadyExists {
		return nil, err
	}
	m.account = &account{store, client}
	return client, nil
}

// retry is how long to wait before a request that failed is sent again: thrice, and not
// at all where the authority wants to see less of us, since orders have pauses of their own.
func retry(n int, _ *http.Request, res *http.Response) time.Duration {
	if n > 3 || res != nil && res.StatusCode == http.StatusTooManyRequests {
		return 0
	}
	if res != nil && res.StatusCode == http.StatusBadRequest {
		return 10 * time.Millisecond // a nonce that was too old; the answer has a new one
	}
	return time.Duration(n) * time.Second
}
