package native

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func (h *Handler) providersOf(q QFieldCloud) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.QFieldProviders(w, r, q) }
}

func (h *Handler) infoOf(q QFieldCloud) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.QFieldInfo(w, r, q) }
}

// qfieldItem is what QFieldCloud tells of the provider "invent".
func qfieldItem(idp *devprovider.Server) map[string]any {
	style := func(color string) map[string]any {
		return map[string]any{"logo": "https://field.example.org/logo.svg", "color_fill": color, "color_stroke": color, "color_text": map[string]string{"#123456": "#ffffff", "#abcdef": "#000000"}[color]}
	}
	return map[string]any{
		"type": "oauth2", "id": "invent", "name": "KDE Invent", "grant_flow": 3.0, "pkce_enabled": true, "scope": "openid api",
		"token_url": idp.URL + "/oauth/token", "refresh_token_url": idp.URL + "/oauth/token", "request_url": idp.URL + "/oauth/authorize",
		"redirect_host": "127.0.0.1", "redirect_port": 11450.0, "redirect_url": "", "client_id": "qt",
		"extra_tokens": map[string]any{}, "idp_id_header": "X-QFC-IDP-ID",
		"styles": map[string]any{"required": false, "light": style("#123456"), "dark": style("#abcdef")},
	}
}

func TestQFieldFindsTheProvider(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	withoutClients := invent(idp.Issuer())
	withoutClients.ID, withoutClients.Clients = "web-only", nil
	h := newHandler(t, invent(idp.Issuer()), withoutClients)
	q := QFieldCloud{Origin: "https://field.example.org"}
	want := []any{qfieldItem(idp)}
	_, body := ask(t, httptest.NewRequest(http.MethodGet, QFieldProvidersPath, nil), h.providersOf(q))
	if diff := cmp.Diff(want, document(t, body)); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	_, body = ask(t, httptest.NewRequest(http.MethodGet, QFieldInfoPath, nil), h.infoOf(q))
	if diff := cmp.Diff(map[string]any{"auth_providers": want}, document(t, body)); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
}

func TestQFieldIsToldWhereItIsToListen(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	for uri, want := range map[string][]any{
		"http://127.0.0.1:11450/":      {"127.0.0.1", 11450.0, ""},
		"http://localhost:7071/a/b":    {"localhost", 7071.0, "a/b"},
		"http://[::1]:9000/":           {"[::1]", 9000.0, ""},
		"http://127.0.0.1/":            {"127.0.0.1", 7070.0, ""},
		"":                             {"localhost", 7070.0, ""},
		"http://127.0.0.1:8000/?a=b":   {"127.0.0.1", 8000.0, "?a=b"},
		"http://127.0.0.1:99999/":      {"127.0.0.1", 7070.0, ""},
		"org.example.phone:/back/here": {"localhost", 7070.0, ""},
	} {
		c := invent(idp.Issuer())
		c.Clients[0].RedirectURI = uri
		_, body := ask(t, httptest.NewRequest(http.MethodGet, QFieldProvidersPath, nil), newHandler(t, c).providersOf(QFieldCloud{}))
		item := document(t, body).([]any)[0].(map[string]any)
		if diff := cmp.Diff(want, []any{item["redirect_host"], item["redirect_port"], item["redirect_url"]}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", uri, diff)
		}
	}
}

func TestTheClientForQFieldCanBeNamed(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	other := invent(idp.Issuer())
	other.ID, other.Clients = "other", []provider.Client{{ID: "third"}}
	one := invent(idp.Issuer())
	one.Bearer.IDTokenHeader = "X-ID-Token"
	_, body := ask(t, httptest.NewRequest(http.MethodGet, QFieldProvidersPath, nil), newHandler(t, one, other).providersOf(QFieldCloud{ClientID: "second", ProviderHeader: "X-Provider"}))
	list := document(t, body).([]any)
	if len(list) != 1 {
		t.Fatalf("got %d providers, want the one with that client\n%s", len(list), body)
	}
	item := list[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"id_token": "X-ID-Token"}, item["extra_tokens"]); diff != "" {
		t.Errorf("extra_tokens (-want +got):\n%s", diff)
	}
	if item["client_id"] != "second" || item["idp_id_header"] != "X-Provider" || item["scope"] != "openid profile" {
		t.Errorf("got %v", item)
	}
}

// TestTheApplicationsInfoIsKept but for its providers: they would name clients whose
// tokens nobody here takes.
func TestTheApplicationsInfoIsKept(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	h := newHandler(t, invent(idp.Issuer()))
	h.Application = func(_ context.Context, host, path string) ([]byte, error) {
		if host != "field.example.org" || path != QFieldInfoPath {
			t.Errorf("asked for %s at %s", path, host)
		}
		return []byte(`{"whitelabel": {"site_title": "Field <b>"}, "serial": 12345678901234567890, "auth_providers": [{"client_id": "theirs"}]}`), nil
	}
	r := httptest.NewRequest(http.MethodGet, "https://field.example.org"+QFieldInfoPath, nil)
	_, body := ask(t, r, h.infoOf(QFieldCloud{Origin: "https://field.example.org"}))
	if !strings.Contains(body, "12345678901234567890") {
		t.Errorf("a number has changed: %s", body)
	}
	doc := document(t, body).(map[string]any)
	if diff := cmp.Diff(map[string]any{"site_title": "Field <b>"}, doc["whitelabel"]); diff != "" {
		t.Errorf("whitelabel (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{qfieldItem(idp)}, doc["auth_providers"]); diff != "" {
		t.Errorf("auth_providers (-want +got):\n%s", diff)
	}
}

// TestAnApplicationWithoutInfoKeepsNobodyFromSigningIn: whatever is wrong with it.
func TestAnApplicationWithoutInfoKeepsNobodyFromSigningIn(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	h := newHandler(t, invent(idp.Issuer()))
	h.wait = time.Second
	for name, application := range map[string]func(context.Context) ([]byte, error){
		"does not answer": func(context.Context) ([]byte, error) { return nil, errors.New("connection refused") },
		"hangs":           func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		"answers HTML":    func(context.Context) ([]byte, error) { return []byte("<!DOCTYPE html>"), nil },
		"answers a list":  func(context.Context) ([]byte, error) { return []byte("[1]"), nil },
		"answers null":    func(context.Context) ([]byte, error) { return []byte("null"), nil },
	} {
		h.Application = func(ctx context.Context, _, _ string) ([]byte, error) { return application(ctx) }
		if name == "hangs" {
			h.wait = 20 * time.Millisecond
			if _, err := h.Providers[0].Metadata(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		res, body := ask(t, httptest.NewRequest(http.MethodGet, QFieldInfoPath, nil), h.infoOf(QFieldCloud{}))
		doc := document(t, body).(map[string]any)
		if res.StatusCode != http.StatusOK || len(doc) != 1 || len(doc["auth_providers"].([]any)) != 1 {
			t.Errorf("%s: got %d %s", name, res.StatusCode, body)
		}
		h.wait = time.Second
	}
}

// TestQFieldIsNotToldOfNobody: a list without providers takes away the sign-in that a
// program has, and an outage must not.
func TestQFieldIsNotToldOfNobody(t *testing.T) {
	idp := devprovider.NewServer(devprovider.Options{})
	t.Cleanup(idp.Close)
	idp.Fail(http.StatusBadGateway, devprovider.Discovery)
	h := newHandler(t, invent(idp.Issuer()))
	for name, serve := range map[string]http.HandlerFunc{"providers": h.providersOf(QFieldCloud{}), "info": h.infoOf(QFieldCloud{})} {
		res, body := ask(t, httptest.NewRequest(http.MethodGet, "/", nil), serve)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || document(t, body).(map[string]any)["code"] != "provider-unavailable" {
			t.Errorf("%s: got %d %v %s, want 503", name, res.StatusCode, res.Header, body)
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if res, _ := ask(t, r, serve); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: POST got %d, want 405", name, res.StatusCode)
		}
	}
}
