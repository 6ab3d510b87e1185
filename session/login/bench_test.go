package login

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// nobody are Sessions of which there are none.
type nobody struct{ Sessions }

func (nobody) Identify(*http.Request) (*session.Identity, error) {
	return nil, session.ErrNoCredentials
}

// BenchmarkStart is what it costs to lead somebody to the provider: state, nonce, PKCE and
// the cookie that they are sealed in.
func BenchmarkStart(b *testing.B) {
	idp := devprovider.NewServer(devprovider.Options{})
	b.Cleanup(idp.Close)
	p := provider.New(provider.Config{
		ID: "invent", Issuer: idp.Issuer(), Client: provider.Client{ID: "web"}, Scopes: []string{"openid"}, RedirectURI: "https://a.example/.auth/callback/invent",
	})
	b.Cleanup(p.Close)
	sealer, err := session.NewSealer([][]byte{[]byte(strings.Repeat("state secret ", 4))})
	if err != nil {
		b.Fatal(err)
	}
	cookies, err := session.NewCookieNames("claimproxy", true)
	if err != nil {
		b.Fatal(err)
	}
	h := New(Config{
		Providers: []*provider.Provider{p}, Sessions: nobody{}, Sealer: sealer, Cookies: cookies, Endpoints: "/.auth",
		Answers: answer.New(answer.Options{Endpoints: "/.auth"}), PublicURL: &url.URL{Scheme: "https", Host: "a.example"},
	})
	r := httptest.NewRequest(http.MethodGet, "https://a.example/.auth/start/invent?return_to=%2Fclassic%2Fgraph%3Fg0.expr%3Dup", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusFound || w.Header().Get("Set-Cookie") == "" {
			b.Fatal(w.Code, w.Body)
		}
	}
}
