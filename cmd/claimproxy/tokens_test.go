package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestTenThousandTokensFitInto64MiB, each of a person in fifteen of six hundred groups,
// with the claims as policies have them.
func TestTenThousandTokensFitInto64MiB(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("it is about memory, which the race detector multiplies")
	}
	const tokens, groups = 10_000, 15
	p := provider.New(provider.Config{
		ID: "dev", Issuer: "https://dev.example", Client: provider.Client{ID: "web"}, UserClaim: "preferred_username",
		Bearer: provider.Bearer{AccessToken: true, CacheMax: time.Hour}, Transport: telling(groups),
	})
	defer p.Close()
	v := bearer.New(bearer.Config{Providers: []*provider.Provider{p}, Needs: []string{"groups"}})
	defer v.Close()
	before := heap()
	known := make([]string, tokens)
	for i := range tokens {
		known[i] = fmt.Sprintf("token-%d", i)
		id, err := v.Verify(t.Context(), session.Presented{Token: known[i]})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(id.Claims.Strings("groups")); n != groups {
			t.Fatalf("got %d groups", n)
		}
		id.Prepared(func(c session.Claims) any { return policy.Index(c) })
	}
	length := 0
	for _, token := range known {
		length += len(token)
	}
	used := heap() - before - int64(length) // the test's own
	kept := 0
	for _, token := range known {
		asked := time.Now()
		if id, err := v.Verify(t.Context(), session.Presented{Token: token}); err == nil && id.SignedIn.Before(asked) {
			kept++
		}
	}
	t.Logf("%d tokens take %.1f MiB, %d bytes each; %d are kept", tokens, float64(used)/(1<<20), used/tokens, kept)
	if used > 64<<20 || kept != tokens {
		t.Errorf("%d tokens take %d bytes, want at most 64 MiB, and %d are kept", tokens, used, kept)
	}
}

// telling is a provider that knows every token, as the network sees it: the number in it
// is the person's.
func telling(groups int) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		var reply any
		switch n := 0; r.URL.Path {
		case "/.well-known/openid-configuration":
			reply = map[string]any{
				"issuer": "https://dev.example", "authorization_endpoint": "https://dev.example/a", "token_endpoint": "https://dev.example/t",
				"jwks_uri": "https://dev.example/k", "introspection_endpoint": "https://dev.example/i", "userinfo_endpoint": "https://dev.example/u",
			}
		case "/i":
			reply = map[string]any{
				"active": true, "client_id": "web", "scope": "openid profile email", "token_type": "Bearer",
				"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
			}
		case "/u":
			if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-%d", &n); err != nil {
				return nil, err
			}
			list := make([]string, groups)
			for i := range list {
				list[i] = fmt.Sprintf("organisation-%d/teams/team-%d", n%40, i)
			}
			reply = map[string]any{
				"sub": fmt.Sprint(n), "preferred_username": fmt.Sprintf("person-%d", n), "nickname": fmt.Sprintf("person-%d", n),
				"name": fmt.Sprintf("Person the %dth", n), "email": fmt.Sprintf("person-%d@kde.example", n), "email_verified": true,
				"profile": fmt.Sprintf("https://dev.example/person-%d", n), "groups": list,
			}
		}
		body, err := json.Marshal(reply)
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
