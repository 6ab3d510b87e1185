package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestOverTLSTheSessionCookieIsBoundToTheHost(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	trust := s.overTLS()
	s.start()

	b := s.browser()
	b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trust}
	a := b.atProvider(b.open(s.url+"/recorder/"), s.idp, people()["alice"], true)
	for _, c := range b.cookies(s.url) {
		if !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("the attempt's cookie is named %s, want the prefix __Host-", c.Name)
		}
	}
	a = b.follow(a)
	c := a.cookie("__Host-claimproxy")
	if c == nil || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Fatalf("got the session cookie %v, want __Host-claimproxy; Secure; HttpOnly; Path=/; SameSite=Lax", c)
	}
	got := b.follow(a).arrival(t)
	got.wantHeader(t, "X-Forwarded-Proto", "https")
	got.wantHeader(t, "X-Forwarded-User", "alice")
	got.wantNowhere(t, c.Value)
}

// overTLS has a site that has not been started speak TLS, and returns what trusts it.
func (s *site) overTLS() *x509.CertPool {
	s.t.Helper()
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.idp.register(s.t, "proxy-web", s.url+"/.auth/callback/invent")
	s.config = strings.Replace(s.config, "public_url: http:", "public_url: https:", 1) +
		"\ntls: {cert: {{.Dir}}/cert.pem, key: {{.Dir}}/key.pem}\n"
	return s.certificate("localhost")
}

// certificate makes a certificate for names, writes it as cert.pem and key.pem
// and returns what trusts it.
func (s *site) certificate(names ...string) *x509.CertPool {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write("cert.pem", string(cert))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}
