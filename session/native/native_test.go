package native

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secrets may not be in any document.
var secrets = []string{"secret-of-web", "secret-of-native"}

// newHandler serves two hosts and these providers.
func newHandler(t *testing.T, configs ...provider.Config) *Handler {
	t.Helper()
	h := &Handler{
		Origin: func(host string) string {
			return map[string]string{"telemetry.example.org": "https://telemetry.example.org", "api.example.org": "https://api.example.org:8443"}[host]
		},
		Endpoints: "/.auth",
		Answers:   answer.New(answer.Options{Endpoints: "/.auth"}),
	}
	for _, c := range configs {
		p := provider.New(c)
		t.Cleanup(p.Close)
		h.Providers = append(h.Providers, p)
	}
	return h
}

func invent(issuer string) provider.Config {
	return provider.Config{
		ID: "invent", Name: "KDE Invent", Logo: "/logo.svg", Color: "#123456", ColorDark: "#abcdef", Issuer: issuer,
		Client:  provider.Client{ID: "web", Secret: "secret-of-web"},
		Clients: []provider.Client{{ID: "qt", Secret: "secret-of-native", RedirectURI: "http://127.0.0.1:11450/", Scopes: []string{"openid", "api"}}, {ID: "second"}},
		Scopes:  []string{"openid", "profile"}, RedirectURI: "https://telemetry.example.org/.auth/callback/invent",
	}
}

// ask returns an answer and its body, and checks what all of them promise.
func ask(t *testing.T, r *http.Request, serve http.HandlerFunc) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	serve(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(body), secret) {
			t.Errorf("%s %s: the answer has the secret %q", r.Method, r.URL, secret)
		}
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s %s: got headers %v", r.Method, r.URL, res.Header)
	}
	return res, string(body)
}

func (h *Handler) at(host, path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.Resource(w, r, host, path) }
}

func document(t *testing.T, text string) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return doc
}

// TestTheResourceIsNamedAsItWasAskedFor: a program may not use a document that names
// another one (RFC 9728 section 3.3).
func TestTheResourceIsNamedAsItWasAskedFor(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	for path, want := range map[string]string{
		"":           "https://telemetry.example.org",
		"/":          "https://telemetry.example.org/",
		"/api":       "https://telemetry.example.org/api",
		"/api/":      "https://telemetry.example.org/api/",
		"/a%20b/%C3": "https://telemetry.example.org/a%20b/%C3",
	} {
		res, body := ask(t, httptest.NewRequest(http.MethodGet, ResourcePath+path, nil), h.at("telemetry.example.org", path))
		if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "application/json" {
			t.Errorf("%q: got %d %q", path, res.StatusCode, got)
		}
		doc := document(t, body).(map[string]any)
		if got := doc["resource"]; got != want {
			t.Errorf("%q: got resource %q, want %q", path, got, want)
		}
	}
	_, body := ask(t, httptest.NewRequest(http.MethodGet, ResourcePath, nil), h.at("api.example.org", ""))
	want := map[string]any{
		"resource": "https://api.example.org:8443", "authorization_servers": []any{"https://invent.example.org"},
		"bearer_methods_supported": []any{"header"}, "scopes_supported": []any{"openid", "profile"},
		"claimproxy_providers": "https://api.example.org:8443/.auth/providers",
	}
	if diff := cmp.Diff(want, document(t, body)); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// TestWhatHasNoElementsIsLeftOut (RFC 9728 section 3.2), and with several providers
// nobody can say which scopes are meant.
func TestWhatHasNoElementsIsLeftOut(t *testing.T) {
	_, body := ask(t, httptest.NewRequest(http.MethodGet, ResourcePath, nil), newHandler(t).at("telemetry.example.org", ""))
	want := map[string]any{"resource": "https://telemetry.example.org", "bearer_methods_supported": []any{"header"}, "claimproxy_providers": "https://telemetry.example.org/.auth/providers"}
	if diff := cmp.Diff(want, document(t, body)); diff != "" {
		t.Errorf("without providers (-want +got):\n%s", diff)
	}
	second := invent("https://second.example.org")
	second.ID = "second"
	_, body = ask(t, httptest.NewRequest(http.MethodGet, ResourcePath, nil), newHandler(t, invent("https://invent.example.org"), second).at("telemetry.example.org", ""))
	want["authorization_servers"] = []any{"https://invent.example.org", "https://second.example.org"}
	if diff := cmp.Diff(want, document(t, body)); diff != "" {
		t.Errorf("with two providers (-want +got):\n%s", diff)
	}
	_, body = ask(t, httptest.NewRequest(http.MethodGet, "/.auth/providers", nil), newHandler(t).List)
	if strings.TrimSpace(body) != "[]" {
		t.Errorf("got the list %q, want []", body)
	}
}

// TestAStrangersHostIsNotRepeated: whoever can choose the Host header would
// otherwise choose where programs send their tokens.
func TestAStrangersHostIsNotRepeated(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	for _, host := range []string{"evil.example", "", "telemetry.example.org.evil.example", `evil"><script>`} {
		for _, accept := range []string{"application/json", "text/html"} {
			r := httptest.NewRequest(http.MethodGet, ResourcePath, nil)
			r.Host = host
			r.Header.Set("Accept", accept)
			r.Header.Set("X-Forwarded-Host", "evil.example")
			res, body := ask(t, r, h.at(host, "/evil"))
			if res.StatusCode != http.StatusNotFound || strings.Contains(body, "evil") {
				t.Errorf("host %q: got %d %s, want 404 without the name", host, res.StatusCode, body)
			}
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/.auth/providers", nil)
	r.Host = "evil.example"
	if _, body := ask(t, r, h.List); strings.Contains(body, "evil") {
		t.Errorf("the list repeats the host: %s", body)
	}
}

// TestAPathDoesNotLengthenTheHost: a prefix of the path is not enough.
func TestAPathDoesNotLengthenTheHost(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	for _, path := range []string{".evil.example", "@evil.example", ":1", "x", "%2f"} {
		res, body := ask(t, httptest.NewRequest(http.MethodGet, ResourcePath, nil), h.at("telemetry.example.org", path))
		if res.StatusCode != http.StatusNotFound || strings.Contains(body, "evil") {
			t.Errorf("%q: got %d %s, want 404", path, res.StatusCode, body)
		}
	}
}

// TestAPathIsTextInTheDocument, whatever is in it.
func TestAPathIsTextInTheDocument(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	res, body := ask(t, httptest.NewRequest(http.MethodGet, ResourcePath, nil), h.at("telemetry.example.org", `/"},"resource":"x<script>`))
	if got := res.Header.Get("Content-Type"); got != "application/json" || strings.Contains(body, "<script") {
		t.Errorf("got %q %s", got, body)
	}
	if got := document(t, body).(map[string]any)["resource"]; got != `https://telemetry.example.org/"},"resource":"x<script>` {
		t.Errorf("got resource %q", got)
	}
}

func TestTheDocumentsCanOnlyBeRead(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	for name, serve := range map[string]http.HandlerFunc{"resource": h.at("telemetry.example.org", ""), "list": h.List} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "get"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Method = method
			res, body := ask(t, r, serve)
			if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" || document(t, body).(map[string]any)["code"] != "method" {
				t.Errorf("%s %s: got %d, Allow %q, %s", name, method, res.StatusCode, res.Header.Get("Allow"), body)
			}
		}
		// A page of another origin may, and gets no more than anybody does.
		w := httptest.NewRecorder()
		serve(w, httptest.NewRequest(http.MethodOptions, "/", nil))
		if h := w.Header(); w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD" || h["Access-Control-Allow-Credentials"] != nil {
			t.Errorf("%s OPTIONS: got %d %v", name, w.Code, h)
		}
		if res, _ := ask(t, httptest.NewRequest(http.MethodGet, "/", nil), serve); res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header["Access-Control-Allow-Credentials"] != nil {
			t.Errorf("%s: got %v", name, res.Header)
		}
		if res, _ := ask(t, httptest.NewRequest(http.MethodHead, "/", nil), serve); res.StatusCode != http.StatusOK {
			t.Errorf("%s HEAD: got %d, want 200", name, res.StatusCode)
		}
	}
}

// TestTheListNamesTheClientForPrograms: the first of clients, else the provider's
// own, and never a secret.
func TestTheListNamesTheClientForPrograms(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	own, alone := invent(idp.Issuer()), invent(idp.Issuer())
	own.ID, own.Clients, own.AuthorizeParams = "own", nil, map[string]string{"resource": "https://api.example.org/", "prompt": "consent"}
	alone.ID, alone.Client, alone.Clients, alone.Scopes = "alone", provider.Client{}, nil, nil
	h := newHandler(t, invent(idp.Issuer()), own, alone)
	_, body := ask(t, httptest.NewRequest(http.MethodGet, "/.auth/providers", nil), h.List)
	item := func(id string, more map[string]any) map[string]any {
		doc := map[string]any{
			"id": id, "name": "KDE Invent", "issuer": idp.Issuer(),
			"style":     map[string]any{"logo": "/logo.svg", "color": "#123456", "color_dark": "#abcdef"},
			"endpoints": map[string]any{"authorization": idp.URL + "/oauth/authorize", "token": idp.URL + "/oauth/token"},
		}
		for name, value := range more {
			doc[name] = value
		}
		return doc
	}
	want := []any{
		item("invent", map[string]any{"client_id": "qt", "scopes": []any{"openid", "api"}, "redirect_uri": "http://127.0.0.1:11450/"}),
		item("own", map[string]any{"resource": "https://api.example.org/", "client_id": "web", "scopes": []any{"openid", "profile"}, "redirect_uri": "https://telemetry.example.org/.auth/callback/invent"}),
		item("alone", map[string]any{"scopes": []any{}}),
	}
	if diff := cmp.Diff(want, document(t, body)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// TestProgramsAreToldWhereToNameTheProvider: an opaque token of one of several providers is
// refused without it, so a program has to learn of it from the list.
func TestProgramsAreToldWhereToNameTheProvider(t *testing.T) {
	h := newHandler(t, invent("https://invent.example.org"))
	h.wait = time.Millisecond
	for _, header := range []string{"", "X-QFC-IDP-ID"} {
		h.ProviderHeader = header
		_, body := ask(t, httptest.NewRequest(http.MethodGet, "/.auth/providers", nil), h.List)
		got, there := document(t, body).([]any)[0].(map[string]any)["provider_header"]
		if there != (header != "") || there && got != header {
			t.Errorf("got provider_header %v, want %q", got, header)
		}
	}
}

// TestAProviderThatSleepsDoesNotKeepTheListWaiting: it is there without endpoints,
// and the others are there with theirs.
func TestAProviderThatSleepsDoesNotKeepTheListWaiting(t *testing.T) {
	awake, asleep, broken := devprovider.NewServer(devprovider.Options{}), devprovider.NewServer(devprovider.Options{}), devprovider.NewServer(devprovider.Options{})
	for _, idp := range []*devprovider.Server{awake, asleep, broken} {
		t.Cleanup(idp.Close)
	}
	hold := asleep.Hang(devprovider.Discovery)
	t.Cleanup(hold.Release)
	broken.Fail(500, devprovider.Discovery)
	first, second, third := invent(asleep.Issuer()), invent(broken.Issuer()), invent(awake.Issuer())
	h := newHandler(t, first, second, third)
	h.wait = 50 * time.Millisecond
	if _, err := h.Providers[2].Metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, body := ask(t, httptest.NewRequest(http.MethodGet, "/.auth/providers", nil), h.List)
	list := document(t, body).([]any)
	for i, known := range []bool{false, false, true} {
		item := list[i].(map[string]any)
		if _, there := item["endpoints"]; there != known || item["client_id"] != "qt" {
			t.Errorf("provider %d: got %v, want endpoints: %v", i, item, known)
		}
	}
}
