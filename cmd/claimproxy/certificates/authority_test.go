package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// authorityServer is an ACME authority that believes every signature, and asks for proofs
// through a function. The end-to-end tests have a real one, which believes nothing.
type authorityServer struct {
	*httptest.Server
	t    *testing.T
	life time.Duration
	now  func() time.Time
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	// look asks for a proof as the authority would; nil is satisfied.
	look func(host, kind, token string) error

	mu sync.Mutex
	// orders are the hosts that were ordered, one entry for each order.
	orders []string
	// refuse is a problem that orders are answered with, empty for none.
	refuse string
	failed map[string]string
}

func newAuthority(t *testing.T) *authorityServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authorityServer{t: t, life: 90 * 24 * time.Hour, now: time.Now, key: key, root: root, failed: map[string]string{}}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *authorityServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Replay-Nonce", rand.Text())
	var sent struct{ Payload string }
	_ = json.NewDecoder(r.Body).Decode(&sent)
	payload, _ := base64.RawURLEncoding.DecodeString(sent.Payload)
	answer := func(status int, where string, v any) {
		w.Header().Set("Location", where)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	room, host, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	type object = map[string]any
	order := func(status string) object {
		return object{"status": status, "identifiers": []object{{"type": "dns", "value": host}}, "expires": a.now().Add(time.Hour),
			"authorizations": []string{a.URL + "/authorization/" + host}, "finalize": a.URL + "/finalize/" + host, "certificate": a.URL + "/certificate/" + host}
	}
	switch room {
	case "directory":
		answer(200, "", object{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/order"})
	case "nonce":
	case "account":
		answer(201, a.URL+"/account/1", object{"status": "valid"})
	case "order":
		if host != "" {
			answer(200, a.URL+"/order/"+host, order("ready"))
			return
		}
		var wanted struct{ Identifiers []struct{ Value string } }
		_ = json.Unmarshal(payload, &wanted)
		host = wanted.Identifiers[0].Value
		a.orders = append(a.orders, host)
		if a.refuse != "" {
			w.Header().Set("Retry-After", "7200")
			answer(429, "", object{"type": "urn:ietf:params:acme:error:" + a.refuse, "detail": "no"})
			return
		}
		answer(201, a.URL+"/order/"+host, order("pending"))
	case "authorization":
		status := "pending"
		if why, seen := a.failed[host]; seen && why == "" {
			status = "valid"
		} else if seen {
			status = "invalid"
			delete(a.failed, host)
		}
		challenge := func(kind string) object {
			c := object{"type": kind, "url": a.URL + "/challenge/" + kind + "," + host, "token": "token-of-" + host, "status": status}
			if status == "invalid" {
				c["error"] = object{"type": "urn:ietf:params:acme:error:connection", "detail": "nobody is there"}
			}
			return c
		}
		answer(200, "", object{"status": status, "identifier": object{"type": "dns", "value": host},
			"challenges": []object{challenge("dns-01"), challenge("http-01"), challenge("tls-alpn-01")}})
	case "challenge":
		kind, host, _ := strings.Cut(host, ",")
		a.failed[host] = ""
		if a.look != nil {
			a.mu.Unlock()
			err := a.look(host, kind, "token-of-"+host)
			a.mu.Lock()
			if err != nil {
				a.failed[host] = err.Error()
			}
		}
		answer(200, "", object{"type": kind, "status": "processing", "url": a.URL + r.URL.Path, "token": "token-of-" + host})
	case "finalize":
		var sent struct{ CSR string }
		_ = json.Unmarshal(payload, &sent)
		der, _ := base64.RawURLEncoding.DecodeString(sent.CSR)
		a.failed["csr "+host] = string(der)
		delete(a.failed, host)
		answer(200, a.URL+"/order/"+host, order("valid"))
	case "certificate":
		request, err := x509.ParseCertificateRequest([]byte(a.failed["csr "+host]))
		if err != nil {
			a.t.Error(err)
			return
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(a.now().UnixNano()), DNSNames: request.DNSNames, NotBefore: a.now().Add(-time.Minute), NotAfter: a.now().Add(a.life),
		}, a.root, request.PublicKey, a.key)
		if err != nil {
			a.t.Error(err)
			return
		}
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	default:
		answer(404, "", object{"detail": r.URL.Path})
	}
}

func (a *authorityServer) ordered() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.orders, " ")
}

func (a *authorityServer) refusing(problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = problem
}

// lookByTLS looks for a proof on a listener of a Manager (RFC 8737 section 3).
func lookByTLS(m *Manager) func(host, kind, token string) error {
	return func(host, kind, _ string) error {
		if kind != "tls-alpn-01" {
			return fmt.Errorf("asked for %s", kind)
		}
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			_ = tls.Server(there, &tls.Config{GetCertificate: m.Certificate, NextProtos: []string{"h2", acme.ALPNProto}}).Handshake()
		}()
		conn := tls.Client(here, &tls.Config{ServerName: host, NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true})
		if err := conn.Handshake(); err != nil {
			return err
		}
		leaf := conn.ConnectionState().PeerCertificates[0]
		if len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != host {
			return fmt.Errorf("the proof is for %v", leaf.DNSNames)
		}
		return nil
	}
}
