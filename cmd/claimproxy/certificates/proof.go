package certificates

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/crypto/acme"
)

// proof is what shows the authority that a host is ours. It is in the store as well: the
// authority may reach another claimproxy than the one that orders.
type proof struct {
	Kind string `json:"kind"`
	// Token and Text are what is asked for and the answer, over plain HTTP.
	Token string `json:"token,omitempty"`
	Text  string `json:"text,omitempty"`
	// Pair is a certificate with the answer in it, and its key, in PEM.
	Pair []byte `json:"pair,omitempty"`
}

const (
	// proofLife is how long a proof is kept that could not be taken back.
	proofLife = 10 * time.Minute
	// proofPatience is how long the store may take to find one: whoever asks is a stranger.
	proofPatience = 3 * time.Second
)

func proofOf(name string) string { return "proof-" + name }

// newProof makes the proof that a challenge asks for.
func newProof(client *acme.Client, c *acme.Challenge, name string) (*proof, error) {
	p := &proof{Kind: c.Type, Token: c.Token}
	if c.Type == kindHTTP {
		var err error
		p.Text, err = client.HTTP01ChallengeResponse(c.Token)
		return p, err
	}
	pair, err := client.TLSALPN01ChallengeCert(c.Token, name)
	if err != nil {
		return nil, err
	}
	p.Pair, err = encode(pair.Certificate, pair.PrivateKey)
	return p, err
}

// offer has everybody who shares the store show a proof.
func (m *Manager) offer(ctx context.Context, store Store, name string, p *proof) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := put(ctx, store, proofOf(name), data, proofLife); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.proofs[name] = p
	return nil
}

// withdraw ends that, also when the order was given up.
func (m *Manager) withdraw(ctx context.Context, store Store, name string) {
	m.mu.Lock()
	delete(m.proofs, name)
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), proofPatience)
	defer cancel()
	if err := store.Remove(ctx, proofOf(name)); err != nil {
		m.c.Log.Warn("what shows whose a host is cannot be taken back; it ends by itself", "host", name, "error", err)
	}
}

// proofFor is the proof that is under way for a host of the plan, nil for none.
func (m *Manager) proofFor(ctx context.Context, name string) (*proof, error) {
	m.mu.RLock()
	p, store := m.proofs[name], m.plan.Store
	m.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, proofPatience)
	defer cancel()
	data, err := get(ctx, store, proofOf(name))
	if err != nil || data == nil {
		return nil, err
	}
	p = new(proof)
	return p, json.Unmarshal(data, p)
}

// Proof is what shows the authority whose a host is when it asks for a token over plain
// HTTP; empty for what nobody is to show.
func (m *Manager) Proof(ctx context.Context, name, token string) (string, error) {
	m.mu.RLock()
	known := m.hosts[name] != nil
	m.mu.RUnlock()
	if !known {
		return "", nil
	}
	p, err := m.proofFor(ctx, name)
	if err != nil || p == nil || p.Kind != kindHTTP || p.Token != token {
		return "", err
	}
	return p.Text, nil
}

// proofByTLS answers a handshake of the authority's (RFC 8737 section 3).
func (m *Manager) proofByTLS(ctx context.Context, name string) (*tls.Certificate, error) {
	p, err := m.proofFor(ctx, name)
	if err != nil {
		return nil, err
	}
	if p == nil || p.Kind != kindTLS {
		return nil, fmt.Errorf("nobody is to show whose %q is", name)
	}
	pair, err := tls.X509KeyPair(p.Pair, p.Pair)
	return &pair, err
}
