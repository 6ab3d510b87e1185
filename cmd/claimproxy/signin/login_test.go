package signin

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func TestSigningInNeedsTheAddressAlone(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	for _, want := range []string{"signs people in with KDE Invent", "You are signed in at " + w.app.url, "The refresh token is in the keyring."} {
		if !strings.Contains(w.said.String(), want) {
			t.Errorf("%q was not said:\n%s", want, w.said)
		}
	}
	l := w.noted()
	w.wantNoSecrets(l)
	if !l.InKeyring || l.Provider != "invent" || l.ClientID != "tool" {
		t.Errorf("got %+v", l)
	}
	data, err := os.ReadFile(w.agent.file(w.app.url))
	if err != nil || bytes.Contains(data, []byte(l.Tokens.Access)) || bytes.Contains(data, []byte(l.Tokens.Refresh)) {
		t.Errorf("the tokens are in the file as well: %v\n%s", err, data)
	}
	got := w.mustToken(w.agent)
	if got.AccessToken != l.Tokens.Access || got.Origin != w.app.url || got.Provider != "invent" || got.Expiry.IsZero() {
		t.Errorf("got %+v", got)
	}
	for _, r := range w.app.asked {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s was asked with credentials", r.URL)
		}
	}
}

func TestWithoutAKeyringTheTokensAreInAFileOfOnesOwn(t *testing.T) {
	w := newWorld(t)
	w.ring.broken = errors.New("no \x1b[31mdaemon")
	w.mustLogin()
	file := w.agent.file(w.app.url)
	if !strings.Contains(w.said.String(), "in "+file+", readable by you alone: no keyring takes it (no ?[31mdaemon)") {
		t.Errorf("it was not said where the tokens are:\n%s", w.said)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want 0600", info.Mode(), err)
	}
	if info, err = os.Stat(w.agent.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want 0700", info.Mode(), err)
	}
	w.mustToken(w.agent)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "others than you can read")
}

// TestTheProviderIsNamedWhereTheApplicationWantsIt: without it an opaque token is refused where
// there are several providers.
func TestTheProviderIsNamedWhereTheApplicationWantsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustLogin()
	if got := w.mustToken(w.agent); got.ProviderHeader != "" {
		t.Errorf("got the header %q of an application that names none", got.ProviderHeader)
	}
	w.app.change(func() { w.app.offers[0]["provider_header"] = "X-QFC-IDP-ID" })
	w.mustLogin()
	if got := w.mustToken(w.agent); got.ProviderHeader != "X-QFC-IDP-ID" || got.Provider != "invent" {
		t.Errorf("got the header %q and the provider %q", got.ProviderHeader, got.Provider)
	}
}

func TestSigningInOnAnotherDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var code string
	done := make(chan error, 1)
	say := new(lockedBuffer)
	w.agent.Say = say
	w.idp.Override(devprovider.Token, func(rw http.ResponseWriter, r *http.Request) {
		// The person signs in before the first question.
		if m := regexp.MustCompile(`\n  ([A-Z0-9]{8})\n`).FindStringSubmatch(say.String()); m != nil && code == "" {
			code = m[1]
			if !w.idp.VerifyDevice(code, "ada") {
				t.Error("no device has shown the code")
			}
		}
		w.idp.Real(devprovider.Token)(rw, r)
	})
	go func() { done <- w.login(Options{Device: true}) }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(say.String(), w.idp.URL+"/oauth/device") || w.mustToken(w.agent).AccessToken == "" {
		t.Errorf("got %s", say)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestADeviceThatNobodyLetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.idp.Override(devprovider.Token, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = rw.Write([]byte(`{"error": "access_denied", "error_description": "no\u001b[2J way"}`))
	})
	wantError(t, w.login(Options{Device: true}), "access_denied", "no?[2J way")
	w.idp.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
		delete(doc, "device_authorization_endpoint")
		doc["userinfo_endpoint"] = w.idp.URL + "/not-as-at-gitlab"
	})
	wantError(t, w.login(Options{Device: true}), "leave out --device")
	// GitLab has the endpoint from 17.9 on, and announces it neither before nor after.
	w.idp.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { delete(doc, "device_authorization_endpoint") })
	wantError(t, w.login(Options{Device: true}), "access_denied")
	w.idp.Override(devprovider.Device, http.NotFound)
	wantError(t, w.login(Options{Device: true}), "leave out --device")
	// A provider that says nonsense about how often to ask must not bring the program down.
	w.idp.Rewrite(devprovider.DiscoveryDocument, nil)
	w.idp.Override(devprovider.Device, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"device_code": "x", "user_code": "Y", "verification_uri": "https://x.example", "expires_in": 600, "interval": -9223372036854775808}`))
	})
	wantError(t, w.login(Options{Device: true}), "access_denied")
	w.idp.Override(devprovider.Device, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"device_code": "x", "user_code": "Y", "verification_uri": "javascript:alert(1)"}`))
	})
	wantError(t, w.login(Options{Device: true}), "does not say where")
}

func TestSigningOutTellsTheProvider(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	refresh := w.noted().Tokens.Refresh
	if err := w.agent.Logout(t.Context(), w.app.url); err != nil {
		t.Fatal(err)
	}
	if len(w.ring.secrets) != 0 || !strings.HasSuffix(w.said.String(), "You are signed out of "+w.app.url+".\n") {
		t.Errorf("got %v, %s", w.ring.secrets, w.said)
	}
	_, err := w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "you are not signed in")
	wantError(t, w.agent.Logout(t.Context(), w.app.url), "you are not signed in")
	p, err := w.agent.provider(t.Context(), w.idp.Issuer(), "tool", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.refresh(t.Context(), refresh); !errors.Is(err, errEnded) {
		t.Errorf("the refresh token goes on: %v", err)
	}
	// With the provider away one is signed out here, and told the rest.
	w.mustLogin()
	w.idp.Fail(http.StatusBadGateway, devprovider.Revocation)
	if err := w.agent.Logout(t.Context(), w.app.url); err != nil || !strings.Contains(w.said.String(), "The provider was not told") {
		t.Errorf("got %v, %s", err, w.said)
	}
}

func TestWhereThereAreSeveralProvidersOneIsChosen(t *testing.T) {
	w := newWorld(t)
	w.app.change(func() {
		second := map[string]any{}
		for name, value := range w.app.offers[0] {
			second[name] = value
		}
		second["id"] = "other\x1b[1m"
		w.app.offers = append(w.app.offers, second)
	})
	wantError(t, w.login(Options{}), "--provider", "invent, other?[1m")
	wantError(t, w.login(Options{Provider: "nobody"}), `no provider "nobody"`)
	if err := w.login(Options{Provider: "invent"}); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftBehindForAnOriginWithoutALogin(t *testing.T) {
	w := newWorld(t)
	_, err := w.agent.Token(t.Context(), "https://elsewhere.example")
	wantError(t, err, "you are not signed in at https://elsewhere.example")
	if files, _ := filepath.Glob(w.agent.Dir + "*"); len(files) != 0 {
		t.Errorf("got %v", files)
	}
}
