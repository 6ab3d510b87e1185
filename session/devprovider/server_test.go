package devprovider_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestListenRefusesNetworks(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if l, err := devprovider.Listen(address); err == nil {
			l.Close()
			t.Errorf("listening on %s worked, want it refused", address)
		}
	}
	l, err := devprovider.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestForeignNamesAndAddressesAreRefused: a page on the internet whose name has
// been made to point to 127.0.0.1 (DNS rebinding) reads what it likes there, unless
// the name is looked at; a handler that somebody serves on all addresses after all
// must not answer either.
func TestForeignNamesAndAddressesAreRefused(t *testing.T) {
	p := devprovider.New(devprovider.Options{Issuer: "https://idp.example"})
	for _, c := range []struct {
		host, local string
		want        int
	}{
		{"127.0.0.1:8081", "127.0.0.1", 200},
		{"localhost:8081", "127.0.0.1", 200},
		{"[::1]:8081", "::1", 200},
		{"idp.example", "127.0.0.1", 200},
		{"evil.example:8081", "127.0.0.1", 403},
		{"127.0.0.1.evil.example", "127.0.0.1", 403},
		{"127.0.0.1:8081", "192.0.2.1", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = c.host
		r = r.WithContext(contextWithAddr(r, &net.TCPAddr{IP: net.ParseIP(c.local), Port: 8081}))
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("host %s at %s: %d, want %d", c.host, c.local, w.Code, c.want)
		}
	}
}

func TestIssuerWithAPath(t *testing.T) {
	s := start(t, func(o *devprovider.Options) { o.Issuer = "/realms/test" })
	if want := s.URL + "/realms/test"; s.Issuer() != want {
		t.Errorf("issuer %q, want %q", s.Issuer(), want)
	}
	doc := get(t, s.Issuer()+"/.well-known/openid-configuration", "").object(t)
	if want := s.URL + "/realms/test/oauth/token"; doc["token_endpoint"] != want {
		t.Errorf("token endpoint %v, want %q", doc["token_endpoint"], want)
	}
	if got := get(t, s.URL+"/.well-known/openid-configuration", "").status; got != http.StatusNotFound {
		t.Errorf("outside of the issuer's path: %d, want 404", got)
	}
}

// TestProviderComesBack: a provider that was stopped and started again knows its
// tokens and has its address.
func TestProviderComesBack(t *testing.T) {
	s := start(t)
	token := s.Issue("ada", "native", "openid").AccessToken
	s.Close()
	l, err := devprovider.Listen(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	again := devprovider.Serve(l, s.Provider)
	defer again.Close()
	if got := get(t, again.URL+"/oauth/userinfo", token).status; got != http.StatusOK {
		t.Errorf("userinfo after coming back: %d, want 200", got)
	}
}

func TestTokensAreHandedOutWhereAllowed(t *testing.T) {
	s := start(t)
	if got := post(t, s.URL+"/dev/token", "", "", "person", "ada").status; got != http.StatusNotFound {
		t.Errorf("without HandOutTokens: %d, want 404", got)
	}
	s = start(t, func(o *devprovider.Options) { o.HandOutTokens = true })
	res := post(t, s.URL+"/dev/token", "", "", "person", "ada", "client", "native")
	if token, ok := strings.CutSuffix(res.body, "\n"); res.status != http.StatusOK || !ok || len(token) != 64 {
		t.Fatalf("got %d %q, want a token and a line end", res.status, res.body)
	}
	if got := get(t, s.URL+"/oauth/userinfo", strings.TrimSpace(res.body)).object(t)["preferred_username"]; got != "ada" {
		t.Errorf("the token is of %v, want ada", got)
	}
	full := post(t, s.URL+"/dev/token", "", "", "person", "ada", "full", "true")
	if full.object(t)["refresh_token"] == nil {
		t.Errorf("the full reply %s has no refresh token", full.body)
	}
	for _, form := range [][]string{{}, {"person", "nobody"}, {"person", "ada", "client", "nobody"}, {"person", "ada", "scope", "root"}} {
		if got := post(t, s.URL+"/dev/token", "", "", form...).status; got != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", form, got)
		}
	}
	if got := get(t, s.URL+"/dev/token?person=ada", "").status; got != http.StatusNotFound {
		t.Errorf("GET: %d, want 404", got)
	}
}

func contextWithAddr(r *http.Request, addr net.Addr) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, addr)
}

func TestTLSServer(t *testing.T) {
	template := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, which is for 127.0.0.1
	defer template.Close()
	s := devprovider.NewTLSServer(devprovider.Options{}, template.TLS.Certificates[0])
	defer s.Close()
	if !strings.HasPrefix(s.Issuer(), "https://127.0.0.1:") || s.Issuer() != s.URL {
		t.Errorf("issuer %q at %q, want one https address", s.Issuer(), s.URL)
	}
	client := template.Client()
	res, err := client.Get(s.URL + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	client.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Errorf("discovery: %d, want 200", res.StatusCode)
	}
}
