package provider_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestNobodyIsCalledUntilMetadataIsNeeded(t *testing.T) {
	r := start(t)
	r.wantCalls(t, devprovider.Discovery, 0)
	for range 3 {
		if _, err := r.p.Metadata(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.wantCalls(t, devprovider.Discovery, 1)
}

func TestMetadataIsFetchedOnceForAHundredWaiters(t *testing.T) {
	r := start(t)
	hold := r.Hang(devprovider.Discovery)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := r.p.Metadata(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	<-hold.Arrived()
	hold.Release()
	wg.Wait()
	r.wantCalls(t, devprovider.Discovery, 1)
}

// TestWaiterWhoLeavesDoesNotCancelDiscovery: the request that happened to begin a
// discovery is given up; the others must not fail with it.
func TestWaiterWhoLeavesDoesNotCancelDiscovery(t *testing.T) {
	r := start(t)
	hold := r.Hang(devprovider.Discovery)
	impatient, leave := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan error, 1)
	ask := func(ctx context.Context, result chan<- error) {
		_, err := r.p.Metadata(ctx)
		result <- err
	}
	go ask(impatient, left)
	<-hold.Arrived()
	go ask(t.Context(), stayed)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: got %v, want the context's error", err)
	}
	hold.Release()
	if err := <-stayed; err != nil {
		t.Errorf("who stayed: %v", err)
	}
	r.wantCalls(t, devprovider.Discovery, 1)
}

// TestIssuerIsComparedByteForByte: a document that speaks for another issuer
// brings its keys along (OpenID Connect Discovery section 4.3; conformance module
// oidcc-client-test-discovery-issuer-mismatch).
func TestIssuerIsComparedByteForByte(t *testing.T) {
	for _, c := range []struct {
		name   string
		issuer func(configured string) any
		good   bool
	}{
		{"the configured one", func(s string) any { return s }, true},
		{"with a slash at the end", func(s string) any { return s + "/" }, false},
		{"in capitals", func(s string) any { return strings.Replace(s, "http:", "HTTP:", 1) }, false},
		{"another host", func(string) any { return "https://evil.example" }, false},
		{"a list with it", func(s string) any { return []string{s} }, false},
		{"missing", func(string) any { return nil }, false},
		{"with an encoded letter", func(s string) any { return strings.Replace(s, "1", "%31", 1) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { doc["issuer"] = c.issuer(r.Issuer()) })
			_, err := r.p.Metadata(t.Context())
			if c.good {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantUnavailable(t, err)
		})
	}
}

func TestIssuerWithPathAndSlashIsFound(t *testing.T) {
	for _, path := range []string{"/realms/test", "/realms/test/"} {
		r := startWith(t, devprovider.Options{Algorithm: "ES256", Issuer: path})
		if !strings.HasSuffix(r.Issuer(), path) {
			t.Fatalf("issuer %q does not end with %q", r.Issuer(), path)
		}
		if _, err := r.p.Metadata(t.Context()); err != nil {
			t.Errorf("issuer %q: %v", r.Issuer(), err)
		}
	}
}

// TestIssuerIsNotFoundByAlmostItsName: the server is right, the configuration has
// one slash more.
func TestIssuerIsNotFoundByAlmostItsName(t *testing.T) {
	r := start(t)
	p := speakWith(t, r.Issuer()+"/", r.clock)
	_, err := p.Metadata(t.Context())
	wantUnavailable(t, err)
}

func TestDiscoveryRecoversFromAnOutageWithBackOff(t *testing.T) {
	r := start(t)
	r.Fail(http.StatusBadGateway, devprovider.Discovery)
	calls := 0
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		pause *= time.Second
		_, err := r.p.Metadata(t.Context())
		calls++
		if u := wantUnavailable(t, err); u.RetryAfter != pause {
			t.Errorf("after %d calls: retry after %v, want %v", calls, u.RetryAfter, pause)
		}
		// However many ask before that, nobody is called.
		r.clock.Advance(pause - time.Nanosecond)
		for range 5 {
			_, err := r.p.Metadata(t.Context())
			wantUnavailable(t, err)
		}
		r.wantCalls(t, devprovider.Discovery, calls)
		r.clock.Advance(time.Nanosecond)
	}
	r.Restore()
	if _, err := r.p.Metadata(t.Context()); err != nil {
		t.Fatalf("after the outage: %v", err)
	}
	r.wantCalls(t, devprovider.Discovery, calls+1)
}

// TestMetadataIsKeptOverAnOutage: what was learnt stays, and nobody waits for the
// renewal, also when the provider hangs.
func TestMetadataIsKeptOverAnOutage(t *testing.T) {
	r := start(t)
	first, err := r.p.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hold := r.Hang(devprovider.Discovery)
	r.clock.Advance(time.Hour)
	for range 3 {
		if md, err := r.p.Metadata(t.Context()); err != nil || md != first {
			t.Fatalf("while the provider hangs: got %v, %v, want the first metadata", md, err)
		}
	}
	<-hold.Arrived()
	r.wantCalls(t, devprovider.Discovery, 2)
	hold.Release()
	eventually(t, "the metadata is renewed", func() bool {
		md, err := r.p.Metadata(t.Context())
		return err == nil && md != first
	})
	r.wantCalls(t, devprovider.Discovery, 2)
}

func TestRenewalOfMetadataBacksOffToo(t *testing.T) {
	r := start(t)
	if _, err := r.p.Metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Fail(http.StatusInternalServerError, devprovider.Discovery)
	r.clock.Advance(time.Hour)
	ask := func() {
		t.Helper()
		if _, err := r.p.Metadata(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	eventually(t, "the renewal has been tried", func() bool { return r.Calls(devprovider.Discovery) == 2 })
	eventually(t, "the failure is noted and nobody asks again", func() bool {
		before := r.Calls(devprovider.Discovery)
		for range 20 {
			ask()
		}
		return r.Calls(devprovider.Discovery) == before
	})
	r.Restore()
	r.clock.Advance(time.Minute)
	calls := r.Calls(devprovider.Discovery)
	ask()
	eventually(t, "the renewal has been tried again", func() bool { return r.Calls(devprovider.Discovery) == calls+1 })
}

// eventually waits for what another goroutine does. There is no clock for that: it
// yields, and gives up when the test's deadline comes near.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10000 {
		if done() {
			return
		}
		<-tick.C
	}
	t.Fatalf("never: %s", what)
}

// TestEndpointsMustBeAsSecureAsTheIssuer: one plain http endpoint in the document
// would have secrets and tokens cross the network readable.
func TestEndpointsMustBeAsSecureAsTheIssuer(t *testing.T) {
	const issuer = "https://id.example"
	good := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"jwks_uri": issuer + "/keys", "userinfo_endpoint": issuer + "/userinfo",
		"introspection_endpoint": issuer + "/introspect", "revocation_endpoint": issuer + "/revoke",
		"end_session_endpoint": issuer + "/end",
	}
	fetch := func(t *testing.T, doc map[string]any, overrides provider.Metadata) (*provider.Metadata, error) {
		return speakWith(t, issuer, newClock(), func(c *provider.Config) {
			c.Transport = answerJSON(doc)
			c.Overrides = overrides
		}).Metadata(t.Context())
	}
	if _, err := fetch(t, good, provider.Metadata{}); err != nil {
		t.Fatalf("all on https: %v", err)
	}
	for name := range good {
		if name == "issuer" {
			continue
		}
		for _, bad := range []string{
			"http://id.example/x", "http://127.0.0.1/x", "http://localhost/x", "//id.example/x", "/x", "id.example",
			"https://", "https://:443/x", "ftp://id.example/x", "https://user:pw@id.example/x", "https://id.example/x#y",
			"javascript:alert(1)", "https://id.example/\x7f", " https://id.example/x",
		} {
			doc := clone(good)
			doc[name] = bad
			_, err := fetch(t, doc, provider.Metadata{})
			if u := wantUnavailable(t, err); !strings.Contains(u.Cause.Error(), name) {
				t.Errorf("%s %q: error %q does not name the member", name, bad, u.Cause)
			}
		}
	}
	t.Run("overrides too", func(t *testing.T) {
		_, err := fetch(t, good, provider.Metadata{TokenInfoEndpoint: "http://id.example/info"})
		wantUnavailable(t, err)
	})
	t.Run("an override mends a document", func(t *testing.T) {
		doc := clone(good)
		doc["userinfo_endpoint"] = "http://id.example/userinfo"
		md, err := fetch(t, doc, provider.Metadata{UserInfoEndpoint: "https://id.example/other"})
		if err != nil || md.UserInfoEndpoint != "https://id.example/other" {
			t.Errorf("got %v, %v, want the override", md, err)
		}
	})
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		t.Run("without "+name, func(t *testing.T) {
			doc := clone(good)
			delete(doc, name)
			_, err := fetch(t, doc, provider.Metadata{})
			wantUnavailable(t, err)
		})
	}
	t.Run("names are exact", func(t *testing.T) {
		doc := clone(good)
		doc["TOKEN_ENDPOINT"] = "http://evil.example/"
		md, err := fetch(t, doc, provider.Metadata{})
		if err != nil || md.TokenEndpoint != issuer+"/token" {
			t.Errorf("got %v, %v, want the endpoint of the exact name", md, err)
		}
	})
}

// TestOnlyAsymmetricAlgorithmsAreLearnt: a provider that announces HS256 or none
// does not get them.
func TestOnlyAsymmetricAlgorithmsAreLearnt(t *testing.T) {
	for _, c := range []struct {
		announced any
		want      string
	}{
		{[]string{"none", "HS256", "ES256", "PS512"}, "ES256 PS512"},
		{[]string{"none", "HS256"}, "RS256"},
		{[]string{}, "RS256"},
		{nil, "RS256"},
		{"ES384", "ES384"},
		{5, "RS256"},
	} {
		r := start(t)
		r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
			doc["id_token_signing_alg_values_supported"] = c.announced
		})
		md, err := r.p.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(md.SigningAlgs, " "); got != c.want {
			t.Errorf("announced %v: got %s, want %s", c.announced, got, c.want)
		}
	}
}

func TestOpaqueModeFollowsWhatTheProviderOffers(t *testing.T) {
	gitlab := func(doc map[string]any) {}
	noIntrospection := func(doc map[string]any) { delete(doc, "introspection_endpoint") }
	other := func(doc map[string]any) {
		delete(doc, "introspection_endpoint")
		doc["userinfo_endpoint"] = doc["issuer"].(string) + "/userinfo"
	}
	for _, c := range []struct {
		name       string
		configured provider.Opaque
		document   func(map[string]any)
		want       provider.Opaque
	}{
		{"auto takes introspection where it is announced", "", gitlab, provider.OpaqueIntrospection},
		{"auto takes Doorkeeper's token information where it is not", "auto", noIntrospection, provider.OpaqueTokenInfo},
		{"auto is off where there is neither", "auto", other, provider.OpaqueOff},
		{"what is configured wins", "token_info", gitlab, provider.OpaqueTokenInfo},
		{"off wins", "off", gitlab, provider.OpaqueOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(conf *provider.Config) { conf.Bearer.Opaque = c.configured })
			r.Rewrite(devprovider.DiscoveryDocument, c.document)
			md, err := r.p.Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := r.p.OpaqueMode(md); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
