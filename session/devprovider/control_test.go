package devprovider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// decode reads a JWT without looking at its signature.
func decode(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts, want 3", token, len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// verifies reports whether the published keys verify a token.
func verifies(t *testing.T, s *devprovider.Server, token string) bool {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(get(t, s.URL+"/oauth/discovery/keys", "").body), &set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	_, err = signed.Verify(set)
	return err == nil
}

func TestKeysRotate(t *testing.T) {
	s := start(t, func(o *devprovider.Options) { o.Algorithm = "ES256" })
	old := s.Issue("ada", "native", "openid").IDToken
	before := s.Key()
	if s.RotateKeys().ID == before.ID || s.Key().ID == before.ID {
		t.Error("the key is the same after RotateKeys")
	}
	fresh := s.Issue("ada", "native", "openid").IDToken
	if !verifies(t, s, old) || !verifies(t, s, fresh) {
		t.Error("after RotateKeys: want tokens of both keys to verify")
	}
	s.RetireKeys()
	if verifies(t, s, old) || !verifies(t, s, fresh) {
		t.Error("after RetireKeys: want only tokens of the new key to verify")
	}
}

func TestAnyTokenCanBeSigned(t *testing.T) {
	s := start(t)
	claims := map[string]any{"sub": "1"}
	if !verifies(t, s, s.SignJWT(nil, claims)) {
		t.Error("own key: does not verify")
	}
	stranger := devprovider.NewKey("RS256")
	stranger.ID = s.Key().ID
	if verifies(t, s, devprovider.SignJWT(stranger, nil, claims)) {
		t.Error("a stranger's key under a known kid: verifies")
	}
	header, _ := decode(t, s.SignJWT(map[string]any{"alg": "ES256", "kid": "other", "typ": "x"}, claims))
	if header["alg"] != "ES256" || header["kid"] != "other" || header["typ"] != "x" {
		t.Errorf("header %v, want the lies that were asked for", header)
	}
	none := devprovider.SignJWT(devprovider.Key{ID: "k", Algorithm: "none"}, nil, claims)
	if header, _ := decode(t, none); header["alg"] != "none" || !strings.HasSuffix(none, ".") {
		t.Errorf("unsigned token %q, want alg none and no signature", none)
	}
	hmac := devprovider.SignJWT(devprovider.Key{ID: "k", Algorithm: "HS256", Private: bytes.Repeat([]byte("k"), 32)}, nil, claims)
	if header, _ := decode(t, hmac); header["alg"] != "HS256" {
		t.Errorf("header %v, want alg HS256", header)
	}
	raw := devprovider.SignBytes(s.Key(), nil, []byte(`{"sub":"1","sub":"2"}`))
	if body := strings.Split(raw, ".")[1]; body != base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1","sub":"2"}`)) {
		t.Errorf("payload %s is not what was given", body)
	}
}

func TestRewriteChangesWhatIsSaid(t *testing.T) {
	s := start(t)
	s.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) { c["groups"] = "teams/kde-developers" })
	s.Rewrite(devprovider.IDTokenClaims, func(c map[string]any) { c["aud"] = "somebody else" })
	s.Rewrite(devprovider.IntrospectionReply, func(c map[string]any) { c["active"] = "true" })
	s.Rewrite(devprovider.DiscoveryDocument, func(c map[string]any) { delete(c, "introspection_endpoint") })
	tokens := s.Issue("ada", "native", "openid")
	if got := get(t, s.URL+"/oauth/userinfo", tokens.AccessToken).object(t)["groups"]; got != "teams/kde-developers" {
		t.Errorf("userinfo: groups %v, want a string", got)
	}
	if _, claims := decode(t, tokens.IDToken); claims["aud"] != "somebody else" {
		t.Errorf("ID token: aud %v", claims["aud"])
	}
	if got := introspect(t, s, "native", "", tokens.AccessToken)["active"]; got != "true" {
		t.Errorf("introspection: active %#v, want a string", got)
	}
	discovery := s.URL + "/.well-known/openid-configuration"
	if _, there := get(t, discovery, "").object(t)["introspection_endpoint"]; there {
		t.Error("discovery still names introspection")
	}
	s.Restore()
	if _, there := get(t, discovery, "").object(t)["introspection_endpoint"]; !there {
		t.Error("after Restore, discovery does not name introspection")
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	target := s.URL + "/oauth/discovery/keys"
	s.Fail(http.StatusInternalServerError, devprovider.KeySet)
	if got := get(t, target, "").status; got != http.StatusInternalServerError {
		t.Errorf("Fail: %d, want 500", got)
	}
	s.Override(devprovider.KeySet, devprovider.Redirect("https://evil.example/"))
	if got := get(t, target, "").header.Get("Location"); got != "https://evil.example/" {
		t.Errorf("Redirect: to %q", got)
	}
	s.Override(devprovider.KeySet, devprovider.Oversized(3<<20))
	if got := len(get(t, target, "").body); got < 3<<20 {
		t.Errorf("Oversized: %d bytes, want more than 3 MiB", got)
	}
	s.Override(devprovider.KeySet, devprovider.Drop)
	res, err := http.Get(target)
	if err == nil {
		res.Body.Close()
		t.Errorf("Drop: got status %d, want an error", res.StatusCode)
	}
	s.Override(devprovider.KeySet, nil)
	if got := get(t, target, "").status; got != http.StatusOK {
		t.Errorf("after Override(nil): %d, want 200", got)
	}
	if got := s.Calls("jwks"); got < 5 {
		t.Errorf("Calls: %d, want every request counted, also those that failed", got)
	}
	if got := s.Calls(devprovider.Token); got != 0 {
		t.Errorf("Calls of the token endpoint: %d, want 0", got)
	}
}

func TestHangEndsWithReleaseClientOrServer(t *testing.T) {
	s := start(t)
	request := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/oauth/discovery/keys", nil)
			if err != nil {
				done <- err
				return
			}
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			done <- err
		}()
		return done
	}
	hold := s.Hang(devprovider.KeySet)
	ctx, cancel := context.WithCancel(t.Context())
	released, given := request(t.Context()), request(ctx)
	<-hold.Arrived()
	<-hold.Arrived()
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("the client that gave up: %v, want context canceled", err)
	}
	hold.Release()
	hold.Release()
	if err := <-released; err != nil {
		t.Errorf("the released request: %v", err)
	}
	hold = s.Hang(devprovider.KeySet)
	cut := request(t.Context())
	<-hold.Arrived()
	s.Close()
	if err := <-cut; err == nil {
		t.Error("the request that hung when the server closed succeeded, want an error")
	}
	s.Close()
}
