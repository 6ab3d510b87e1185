package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestAskingForADocumentCarriesNobodysCredentials: whoever caused the question, it is
// claimproxy's own.
func TestAskingForADocumentCarriesNobodysCredentials(t *testing.T) {
	var got *http.Request
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(t.Context())
		w.Header().Set("Set-Cookie", "csrftoken=x")
		_, _ = io.WriteString(w, `{"whitelabel": {}}`)
	}))
	t.Cleanup(application.Close)
	where, _ := url.Parse(application.URL)
	rules := newRules(t)
	h := build(t, []Route{{Path: "/", Upstream: &Upstream{Name: "field", URLs: []*url.URL{where}}, SignIn: Bearer, Allow: rules.of("developers")}}, nil)
	body, err := h.proxy.Ask(t.Context(), publicHost+":8443", "/api/v1/server/info/")
	if err != nil || string(body) != `{"whitelabel": {}}` {
		t.Fatalf("got %q, %v", body, err)
	}
	if got.Host != publicHost+":8443" || got.RequestURI != "/api/v1/server/info/" || got.Method != http.MethodGet {
		t.Errorf("the application was asked %s %s at %s", got.Method, got.RequestURI, got.Host)
	}
	for name := range got.Header {
		switch name {
		case "Accept", "User-Agent", "X-Forwarded-Host", "X-Forwarded-Proto":
		default:
			t.Errorf("the question carries %s: %q", name, got.Header[name])
		}
	}
}

// TestWhatAnApplicationSaysIsBounded, and only an answer that is one counts.
func TestWhatAnApplicationSaysIsBounded(t *testing.T) {
	asked := 0
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/endless":
			_, _ = io.WriteString(w, strings.Repeat("x", maxDocument+1))
		case "/whole":
			_, _ = io.WriteString(w, strings.Repeat("x", maxDocument))
		case "/elsewhere":
			http.Redirect(w, r, "/whole", http.StatusFound)
		default:
			status, _ := strconv.Atoi(r.URL.Path[1:])
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(application.Close)
	where, _ := url.Parse(application.URL)
	field := &Upstream{Name: "field", URLs: []*url.URL{where}}
	rules := newRules(t)
	h := build(t, []Route{
		{Path: "/closed/", Upstream: field, Allow: rules.of("nobody")},
		{Path: "/asked/", Allow: rules.of("public")},
		{Hosts: []string{"field.example.org"}, Path: "/", Upstream: field, Allow: rules.of("public")},
	}, func(c *Config) { c.ForwardAuth = ForwardAuthXForwarded })
	if body, err := h.proxy.Ask(t.Context(), "field.example.org", "/whole"); err != nil || len(body) != maxDocument {
		t.Errorf("got %d bytes and %v, want all of them", len(body), err)
	}
	asked = 0
	for _, path := range []string{"/endless", "/elsewhere", "/204", "/404", "/500"} {
		if body, err := h.proxy.Ask(t.Context(), "field.example.org", path); err == nil {
			t.Errorf("%s: got %d bytes, want an error", path, len(body))
		}
	}
	if asked != 5 {
		t.Errorf("the application was asked %d times, want once for each", asked)
	}
	for _, path := range []string{"/closed/x", "/asked/x", "/x", "/a%2fb", "x"} {
		if _, err := h.proxy.Ask(t.Context(), publicHost, path); err == nil {
			t.Errorf("%s: want an error", path)
		}
	}
	if asked != 5 {
		t.Error("an application was asked on a route that lets nobody in")
	}
}
