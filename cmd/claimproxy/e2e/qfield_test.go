package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestQFieldFindsItsWay walks as QField does: what does the server say of itself, where
// is the sign-in, and then a request with the token.
func TestQFieldFindsItsWay(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		asked := make(chan http.Header, 10)
		cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Header
			if r.URL.Path != "/api/v1/server/info/" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Set-Cookie", "csrftoken=secret-of-another")
			_, _ = io.WriteString(w, `{"whitelabel": {"site_title": "Field Office"}, "auth_providers": [{"type": "credentials"}], "signup_url": "/signup"}`)
		}))
		t.Cleanup(cloud.Close)
		s.Recorder = cloud.URL
		before, _, _ := strings.Cut(s.config, "routes:")
		s.config = before + "native: {provider_header: X-QFC-IDP-ID, discovery: {kind: qfieldcloud, client: native-secret}}\nroutes:\n  - {path: /, upstream: recorder, allow: developers}\n"
		s.config = strings.Replace(s.config, "    bearer:\n", "    bearer:\n      id_token_header: X-QFC-ID-Token\n", 1)
		s.config = strings.Replace(s.config, "- client_id: native-secret\n", "- client_id: native-secret\n        redirect_uri: http://127.0.0.1:7070/\n", 1)
		s.start()

		a := get(t, s.url+"/api/v1/server/info/", "Authorization: Token of-qfieldcloud", "Cookie: sessionid=abc", "X-Forwarded-User: alice").wantStatus(t, http.StatusOK)
		var info struct {
			Whitelabel struct {
				Title string `json:"site_title"`
			} `json:"whitelabel"`
			SignUp    string           `json:"signup_url"`
			Providers []map[string]any `json:"auth_providers"`
		}
		a.decode(t, &info)
		if info.Whitelabel.Title != "Field Office" || info.SignUp != "/signup" || len(info.Providers) != 1 || a.header.Get("Set-Cookie") != "" {
			t.Fatalf("got %+v and %v", info, a.header)
		}
		p := info.Providers[0]
		if p["client_id"] != "native-secret" || p["redirect_host"] != "127.0.0.1" || p["redirect_port"] != 7070.0 || p["request_url"] != s.idp.issuer+s.idp.authorizePath || p["token_url"] != s.idp.issuer+s.idp.tokenPath {
			t.Errorf("got %v", p)
		}
		s.leaks.wantNone(t, "the document", a.body)
		got := <-asked
		for _, name := range []string{"Authorization", "Cookie", "X-Forwarded-User"} {
			if got.Get(name) != "" {
				t.Errorf("the application was asked with %s: %q", name, got.Get(name))
			}
		}
		if list := get(t, s.url+"/api/v1/auth/providers/").wantStatus(t, http.StatusOK); !strings.Contains(list.body, `"native-secret"`) {
			t.Errorf("got %s", list.body)
		}
		// QField takes a redirect at log-in for a failure, and so there is none.
		get(t, s.url+"/api/v1/auth/user/", "X-QFC-IDP-ID: invent").wantProblem(t, http.StatusUnauthorized, "no-credentials")
		if extra, _ := p["extra_tokens"].(map[string]any); extra["id_token"] != "X-QFC-ID-Token" || p["idp_id_header"] != "X-QFC-IDP-ID" {
			t.Errorf("got %v", p)
		}
		tokens := s.native("native-secret", "").signIn(people()["alice"])
		s.bearer("/api/v1/auth/user/", tokens.Access, "X-QFC-IDP-ID: invent", "X-QFC-ID-Token: "+tokens.ID).wantStatus(t, http.StatusNotFound)

		// Without the application the way in is still told.
		cloud.Close()
		a = get(t, s.url+"/api/v1/server/info/").wantStatus(t, http.StatusOK)
		if !strings.Contains(a.body, `"auth_providers":[{`) || strings.Contains(a.body, "whitelabel") {
			t.Errorf("got %s", a.body)
		}
	})
}
