package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestPeekReadsOneFormOnly: two texts for one token are two cache entries and two
// readings of one text are an attack.
func TestPeekReadsOneFormOnly(t *testing.T) {
	enc := base64.RawURLEncoding.EncodeToString
	header, claims, sig := enc([]byte(`{"alg":"ES256"}`)), enc([]byte(`{"iss":"x"}`)), enc(make([]byte, 64))
	good := header + "." + claims + "." + sig
	if u, ok := provider.Peek(good); !ok || u.Header["alg"] != "ES256" || u.Claims["iss"] != "x" {
		t.Fatalf("a well-formed token: got %v, %v", u, ok)
	}
	for name, token := range map[string]string{
		"empty":                          "",
		"one part":                       header,
		"two parts":                      header + "." + claims,
		"four parts":                     good + "." + sig,
		"five parts, an encrypted one":   good + "." + sig + "." + sig,
		"a million dots":                 strings.Repeat(".", 1_000_000),
		"a line break inside":            header + "." + claims[:3] + "\n" + claims[3:] + "." + sig,
		"a carriage return at the end":   good + "\r",
		"a blank in front":               " " + good,
		"padding":                        header + "." + claims + "." + sig + "=",
		"standard base64":                header + "." + base64.StdEncoding.EncodeToString([]byte(`{"iss":"??>>"}`)) + "." + sig,
		"trailing bits in the header":    header[:len(header)-1] + "R" + "." + claims + "." + sig,
		"trailing bits in the claims":    header + "." + looseEnd(claims) + "." + sig,
		"trailing bits in the signature": header + "." + claims + "." + looseEnd(sig),
		"a header that is a list":        enc([]byte(`["alg"]`)) + "." + claims + "." + sig,
		"a header that is null":          enc([]byte(`null`)) + "." + claims + "." + sig,
		"claims that are a string":       header + "." + enc([]byte(`"iss"`)) + "." + sig,
		"claims that are no JSON":        header + "." + enc([]byte(`iss=x`)) + "." + sig,
		"claims that are empty":          header + ".." + sig,
		"claims with something after":    header + "." + enc([]byte(`{"iss":"x"} `+`1`)) + "." + sig,
		"claims in invalid UTF-8":        header + "." + enc([]byte("{\"iss\":\"\xff\"}")) + "." + sig,
		"a claim twice":                  header + "." + enc([]byte(`{"iss":"x","iss":"y"}`)) + "." + sig,
		"a header member twice":          enc([]byte(`{"alg":"ES256","alg":"none"}`)) + "." + claims + "." + sig,
		"a claim twice in a claim":       header + "." + enc([]byte(`{"iss":"x","cnf":{"a":1,"a":2}}`)) + "." + sig,
		"a claim twice, once escaped":    header + "." + enc([]byte(`{"iss":"x","\u0069ss":"y"}`)) + "." + sig,
		"JSON serialization":             `{"protected":"` + header + `","payload":"` + claims + `","signature":"` + sig + `"}`,
	} {
		if u, ok := provider.Peek(token); ok {
			t.Errorf("%s: read as %v", name, u)
		}
	}
}

// looseEnd sets unused bits of the last character, which lenient decoders drop.
func looseEnd(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last|1])
}

func TestVerifyJWTClaims(t *testing.T) {
	r := start(t)
	now := r.clock.Now().Unix()
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   error
	}{
		{"a good token", nil, nil},
		{"exp with a fraction", map[string]any{"exp": float64(now) + 0.5}, nil},
		{"exp passed, within the leeway for clocks", map[string]any{"exp": now - 59}, nil},
		{"exp passed a minute ago", map[string]any{"exp": now - 60}, provider.ErrExpired},
		{"exp missing", map[string]any{"exp": nil}, provider.ErrMalformed},
		{"exp null", map[string]any{"exp": json.RawMessage("null")}, provider.ErrMalformed},
		{"exp a string", map[string]any{"exp": fmt.Sprint(now + 60)}, provider.ErrMalformed},
		{"exp a list", map[string]any{"exp": []int64{now + 60}}, provider.ErrMalformed},
		{"exp true", map[string]any{"exp": true}, provider.ErrMalformed},
		{"exp zero", map[string]any{"exp": 0}, provider.ErrExpired},
		{"exp negative", map[string]any{"exp": -1}, provider.ErrMalformed},
		{"exp beyond the calendar", map[string]any{"exp": 1e300}, provider.ErrMalformed},
		{"exp beyond float64", map[string]any{"exp": json.RawMessage("1e400")}, provider.ErrMalformed},
		{"exp of MaxInt64", map[string]any{"exp": json.RawMessage("9223372036854775807")}, provider.ErrMalformed},
		{"exp in milliseconds", map[string]any{"exp": (now + 60) * 1000}, provider.ErrMalformed},
		{"exp in other letters only", map[string]any{"exp": nil, "EXP": now + 60}, provider.ErrMalformed},
		{"nbf now", map[string]any{"nbf": now}, nil},
		{"nbf within the leeway for clocks", map[string]any{"nbf": now + 60}, nil},
		{"nbf in the future", map[string]any{"nbf": now + 61}, provider.ErrNotYet},
		{"nbf a string", map[string]any{"nbf": "0"}, provider.ErrMalformed},
		{"nbf null", map[string]any{"nbf": json.RawMessage("null")}, provider.ErrMalformed},
		{"iss missing", map[string]any{"iss": nil}, provider.ErrIssuer},
		{"iss another", map[string]any{"iss": "https://evil.example"}, provider.ErrIssuer},
		{"iss with a slash", map[string]any{"iss": r.Issuer() + "/"}, provider.ErrIssuer},
		{"iss a list", map[string]any{"iss": []string{r.Issuer()}}, provider.ErrIssuer},
		{"iss in other letters only", map[string]any{"iss": nil, "ISS": r.Issuer()}, provider.ErrIssuer},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.verify(t, r.sign(r.Key(), nil, c.claims))
			if c.want != nil {
				wantError(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Claims["sub"] != "1" || got.Expires.IsZero() {
				t.Errorf("got %v until %v, want sub 1 and an end", got.Claims, got.Expires)
			}
		})
	}
}

// TestTamperedTokensAreRefused changes each part of a good token.
func TestTamperedTokensAreRefused(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			r := startWith(t, devprovider.Options{Algorithm: algorithm})
			good := r.warm(t)
			parts := strings.Split(good, ".")
			other := strings.Split(r.sign(r.Key(), nil, map[string]any{"sub": "2"}), ".")
			for name, token := range map[string]string{
				"the last character dropped":  good[:len(good)-1],
				"the last character changed":  good[:len(good)-1] + map[bool]string{true: "A", false: "Q"}[good[len(good)-1] != 'A'],
				"the first character dropped": good[1:],
				"another's claims":            parts[0] + "." + other[1] + "." + parts[2],
				"another's signature":         parts[0] + "." + parts[1] + "." + other[2],
				"no signature":                parts[0] + "." + parts[1] + ".",
				"half a signature":            parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])/2],
				"zeros as the signature":      parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
			} {
				_, err := r.verify(t, token)
				if !errors.Is(err, provider.ErrSignature) && !errors.Is(err, provider.ErrMalformed) {
					t.Errorf("%s: got %v, want it refused", name, err)
				}
			}
			r.wantCalls(t, devprovider.KeySet, 1)
		})
	}
}

// TestAggregatedAndDistributedClaimsAreDropped: they would have us call strangers,
// with tokens that come along (OpenID Connect Core section 5.6.2).
func TestAggregatedAndDistributedClaimsAreDropped(t *testing.T) {
	r := start(t)
	elsewhere := map[string]any{
		"_claim_names":   map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": r.Server.Provider.URL(devprovider.UserInfo), "access_token": "x"}},
	}
	got, err := r.verify(t, r.sign(r.Key(), nil, elsewhere))
	if err != nil {
		t.Fatal(err)
	}
	for name := range elsewhere {
		if _, there := got.Claims[name]; there {
			t.Errorf("the token's claims have %s", name)
		}
	}
	r.wantCalls(t, devprovider.UserInfo, 0)
}

func TestTypIsReadWithoutItsPrefixAndCase(t *testing.T) {
	r := start(t)
	for header, want := range map[string]string{"at+jwt": "at+jwt", "application/AT+JWT": "at+jwt", "JWT": "jwt", "": ""} {
		got, err := r.verify(t, r.sign(r.Key(), map[string]any{"typ": header}, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got.Typ() != want {
			t.Errorf("typ %q: got %q, want %q", header, got.Typ(), want)
		}
	}
}

// FuzzVerifyJWT: whatever text comes, reading it neither panics nor ends in a
// verified token that the provider has not signed, and an error stays short.
func FuzzVerifyJWT(f *testing.F) {
	// One provider for all inputs: its keys are fetched by the first.
	key := devprovider.NewKey("ES256")
	s := devprovider.NewServer(devprovider.Options{Algorithm: "ES256"})
	f.Cleanup(s.Close)
	p := provider.New(provider.Config{ID: "dev", Issuer: s.Issuer()})
	f.Cleanup(p.Close)
	claims := map[string]any{"iss": s.Issuer(), "sub": "1", "exp": time.Now().Add(time.Hour).Unix()}
	good := s.SignJWT(nil, claims)
	u, _ := provider.Peek(good)
	if _, err := p.VerifyJWT(f.Context(), u); err != nil {
		f.Fatal(err)
	}
	key.ID = s.Key().ID
	f.Add(good)
	f.Add(devprovider.SignJWT(key, nil, claims))
	f.Add(devprovider.SignJWT(devprovider.Key{ID: key.ID, Algorithm: "none"}, nil, claims))
	f.Add(devprovider.SignJWT(key, map[string]any{"crit": []string{"b64"}, "b64": false}, claims))
	f.Add(devprovider.SignJWT(key, map[string]any{"jwk": map[string]any{"kty": "EC"}, "x5c": []string{"AA"}}, claims))
	f.Add(devprovider.SignBytes(key, nil, []byte(`{"iss":"x","iss":"y","exp":1e999}`)))
	f.Add("..")
	f.Add("e30.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		u, ok := provider.Peek(token)
		if !ok {
			return
		}
		_, err := p.VerifyJWT(t.Context(), u)
		if err == nil && token != good {
			t.Errorf("verified: %q", token)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("a long error: %q", err)
		}
	})
}

func BenchmarkVerifyJWT(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		for _, groups := range []int{10, 500} {
			b.Run(fmt.Sprintf("%s/groups=%d", algorithm, groups), func(b *testing.B) {
				s := devprovider.NewServer(devprovider.Options{Algorithm: algorithm})
				defer s.Close()
				p := provider.New(provider.Config{ID: "dev", Issuer: s.Issuer()})
				defer p.Close()
				var list []string
				for i := range groups {
					list = append(list, fmt.Sprintf("teams/some-group-%d", i))
				}
				token := s.SignJWT(nil, map[string]any{
					"iss": s.Issuer(), "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "groups": list,
				})
				b.ReportAllocs()
				for b.Loop() {
					u, _ := provider.Peek(token)
					if _, err := p.VerifyJWT(b.Context(), u); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
