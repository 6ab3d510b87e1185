package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestANativeProgramUsesTheSamePathAsTheBrowser(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Prometheus = sharedPrometheus(t)
		s.start()
		program := s.native("native-public", setup.resource)
		const query = "/api/v1/query?query=up"

		alice := program.signIn(people()["alice"])
		a := s.bearer(query, alice.Access).wantStatus(t, http.StatusOK).wantText(t, `"status":"success"`)
		if len(a.header.Values("Set-Cookie")) != 0 {
			t.Error("a program was given a cookie")
		}
		get(t, s.url+query, "Authorization: bearer "+alice.Access).wantStatus(t, http.StatusOK) // RFC 9110 section 11.1: any case
		s.bearer("/classic/graph", alice.Access, "Accept: text/html").wantStatus(t, http.StatusOK).wantText(t, prometheusTitle)

		bob := program.signIn(people()["bob"])
		p := s.bearer(query, bob.Access).wantProblem(t, http.StatusForbidden, "not-allowed")
		if !strings.Contains(p.Message+p.Detail, "groups: [websites/fans]") {
			t.Errorf("problem: got %+v, want the caller's own groups named", p)
		}
		carol := program.signIn(people()["carol"])
		s.bearer(query, carol.Access).wantProblem(t, http.StatusForbidden, "not-allowed")

		renewed := program.refresh(alice)
		s.bearer(query, renewed.Access).wantStatus(t, http.StatusOK)
	})
}

func TestATokenOfAConfidentialNativeClientIsAccepted(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		s.bearer("/recorder/", s.native("native-secret", setup.resource).signIn(people()["alice"]).Access).wantStatus(t, http.StatusOK)
	})
}

func TestATokenOfAForeignClientIsRefused(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.start()
		for _, client := range []string{"native-foreign", "other-web"} {
			// Doorkeeper tells only a token's own client that it is active, so there
			// is nothing to tell a foreign token from no token at all.
			code := "token-client"
			if s.idp.kind == "doorkeeper" {
				code = "token-invalid"
			}
			a := s.bearer("/recorder/", s.native(client, setup.resource).signIn(people()["alice"]).Access)
			a.wantProblem(t, http.StatusUnauthorized, code)
			a.wantChallenge(t, "invalid_token")
		}
		if upstream.count() != 0 {
			t.Error("a request with a foreign client's token reached the upstream")
		}
	})
}

// TestTokenInformationTellsAForeignClient configures Doorkeeper's own way, which
// needs no client's credentials and names the token's client.
func TestTokenInformationTellsAForeignClient(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "    bearer:\n", "    bearer:\n      opaque: token_info\n", 1)
	s.start()
	s.bearer("/recorder/", s.native("native-public", "").signIn(people()["alice"]).Access).wantStatus(t, http.StatusOK)
	s.bearer("/recorder/", s.native("native-foreign", "").signIn(people()["alice"]).Access).wantProblem(t, http.StatusUnauthorized, "token-client")
	s.bearer("/recorder/", s.native("native-public", "").signIn(people()["alice"]).Refresh).wantProblem(t, http.StatusUnauthorized, "token-invalid")
}

func TestWhatIsNoAccessTokenIsRefused(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.start()
		got := s.native("native-public", setup.resource).signIn(people()["alice"])
		for _, tc := range []struct {
			name, token string
			codes       []string
		}{
			{"a refresh token, which introspection calls active", got.Refresh, []string{"token-invalid", "token-kind"}},
			{"an ID token", got.ID, []string{"token-kind"}},
			{"an ID token whose signature was changed", changeSignature(t, got.ID), []string{"token-invalid"}},
			{"an ID token without signature", unsigned(t, got.ID), []string{"token-invalid"}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				a := s.bearer("/anybody/", tc.token)
				a.wantProblem(t, http.StatusUnauthorized, tc.codes...)
				a.wantChallenge(t, "invalid_token")
			})
		}
		if upstream.count() != 0 {
			t.Error("a request reached the upstream")
		}
		// The refresh token was not used up by being shown around.
		s.native("native-public", setup.resource).refresh(got)
	})
}

func TestForgedAccessTokensAreRefused(t *testing.T) {
	t.Parallel()
	setup := setups[2]
	s := setup.site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	good := s.native("native-public", setup.resource).signIn(people()["bob"]).Access
	for _, tc := range []struct{ name, token, code string }{
		{"with another signature", changeSignature(t, good), "token-invalid"},
		{"without signature, alg none", unsigned(t, good), "token-invalid"},
		{"with better groups under the old signature", changeClaims(t, good, map[string]any{"groups": []string{"teams/kde-developers"}}), "token-invalid"},
		{"of another issuer", changeClaims(t, good, map[string]any{"iss": "https://evil.example"}), "token-provider"},
		{"cut short", good[:len(good)-20], "token-invalid"},
		{"twice as long", good + good, "token-invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.bearer("/anybody/", tc.token)
			a.wantProblem(t, http.StatusUnauthorized, tc.code)
			a.wantChallenge(t, "invalid_token")
		})
	}
	if upstream.count() != 0 {
		t.Error("a request with a forged token reached the upstream")
	}
	s.bearer("/anybody/", good).wantStatus(t, http.StatusOK)
}

func TestATokenForAnotherServiceIsRefused(t *testing.T) {
	t.Parallel()
	setup := setups[2]
	s := setup.site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	alice := people()["alice"]
	other := s.native("native-public", "https://other-api.example.test/").signIn(alice)
	a := s.bearer("/anybody/", other.Access)
	a.wantProblem(t, http.StatusUnauthorized, "token-audience")
	a.wantChallenge(t, "invalid_token")

	// The resource that is published here (RFC 9728) is as good as a configured
	// audience. Its tokens carry no groups, and userinfo does not know them.
	here := s.native("native-public", s.url+"/").signIn(alice)
	s.bearer("/anybody/", here.Access).wantStatus(t, http.StatusOK)
	p := s.bearer("/recorder/", here.Access).wantProblem(t, http.StatusForbidden, "not-allowed")
	if !strings.Contains(p.Message+p.Detail, "groups is not among the claims") {
		t.Errorf("problem: got %+v, want it said that groups is not among the claims", p)
	}

	// A token for a path below is good there and nowhere else.
	below := s.native("native-public", s.url+"/anybody").signIn(alice)
	s.bearer("/anybody/x", below.Access).wantStatus(t, http.StatusOK)
	s.bearer("/recorder/", below.Access).wantProblem(t, http.StatusUnauthorized, "token-audience")
}

func TestGarbageInPlaceOfATokenIsRefused(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.start()
		for _, tc := range []struct{ name, token string }{
			{"one character", "x"},
			{"random characters", "ca1142e987def54176e4f097e987411bc31edf3320a17e4cafc0b3f045b6115a"},
			{"dots", "..."},
			{"two dots", "a.b.c"},
			{"signs that no token has", `"<script>alert(1)</script>"`},
			{"bytes that are not ASCII", "\xff\xfe\xc3\x28"},
			{"eight kilobytes", strings.Repeat("a", 8<<10)},
			{"sixty kilobytes", strings.Repeat("a", 60<<10)},
			{"a JWT of sixty kilobytes", "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("a", 60<<10) + ".c2ln"},
			{"parameters of a query", "x&client_id=native-public&token_type_hint=access_token"},
			{"two words", "a b"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				a := s.bearer("/recorder/", tc.token)
				if p := a.wantProblem(t, http.StatusUnauthorized, "token-invalid"); strings.Contains(p.Message+p.Detail, tc.token) {
					t.Error("the refusal repeats the token")
				}
				a.wantChallenge(t, "invalid_token")
			})
		}
		if upstream.count() != 0 {
			t.Error("a request with garbage reached the upstream")
		}
	})
}

func TestNoTokenAtAllInTheHeaderIsNeverAnError(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t).start()
	for _, header := range []string{"Authorization: Bearer", "Authorization: Bearer  ", "Authorization:"} {
		if a := get(t, s.url+"/recorder/", header); a.status != http.StatusUnauthorized {
			t.Errorf("%q: got status %d, want 401", header, a.status)
		}
	}
}

func TestTwoCredentialsAreOneTooMany(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	for _, path := range []string{"/recorder/", "/receiver/submit/x"} {
		get(t, s.url+path, "Authorization: Bearer "+token, "Authorization: Bearer "+token).wantProblem(t, http.StatusBadRequest, "two-credentials")
	}
}

func TestATokenIsReadFromTheHeaderAlone(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	get(t, s.url+"/recorder/?access_token="+token).wantProblem(t, http.StatusUnauthorized, "no-credentials")
	postForm(t, s.url+"/recorder/", map[string][]string{"access_token": {token}}).wantProblem(t, http.StatusUnauthorized, "no-credentials")
	if upstream.count() != 0 {
		t.Error("a request reached the upstream")
	}
}

func TestABadTokenIsNotMadeUpForByAGoodSession(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	b.fetch(http.MethodGet, s.url+"/recorder/", "Authorization: Bearer nonsense").wantProblem(t, http.StatusUnauthorized, "token-invalid")
	// And a good token of somebody else decides alone.
	bob := s.native("native-public", "").signIn(people()["bob"]).Access
	b.fetch(http.MethodGet, s.url+"/recorder/", "Authorization: Bearer "+bob).wantProblem(t, http.StatusForbidden, "not-allowed")
}

func TestARouteTakesOnlyTheCredentialsItLists(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	b := s.browser()
	b.signIn(s.url+"/people/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)

	s.bearer("/programs/", token).wantStatus(t, http.StatusOK)
	b.visit(s.url+"/programs/").wantStatus(t, http.StatusUnauthorized)
	if a := s.bearer("/people/", token); a.status != http.StatusUnauthorized {
		t.Errorf("a token on a route for browsers: got status %d, want 401", a.status)
	}
}

func TestATokenWithoutAPersonIsNeverSignedIn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		setup setup
		scope string
	}{{setups[0], "read_api"}, {setups[2], "telemetry:read"}} {
		t.Run(tc.setup.name, func(t *testing.T) {
			t.Parallel()
			s := tc.setup.site(t)
			s.config = strings.Replace(s.config, "routes:", `routes:
  - {path: /robots/, upstream: recorder, allow: client_id is proxy-web and auth is client}`, 1)
			s.Recorder = newRecorder(t).url
			s.start()
			token := s.native("proxy-web", tc.setup.resource).alone(tc.scope).Access
			s.bearer("/anybody/", token).wantProblem(t, http.StatusForbidden, "not-allowed")
			s.bearer("/recorder/", token).wantProblem(t, http.StatusForbidden, "not-allowed")
			s.bearer("/robots/", token).arrival(t).wantHeader(t, "X-Forwarded-User")
		})
	}
}

func TestATokenIsGoodUntilItExpiresAndNoLonger(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.CacheMax = "5m" // longer than the token lives
		s.Recorder = newRecorder(t).url
		s.start()
		program := s.native("native-brief", setup.resource) // its tokens live 6 seconds
		got := program.signIn(people()["alice"])
		over := time.Now().Add(7 * time.Second) // a second for rounding
		s.bearer("/recorder/", got.Access).wantStatus(t, http.StatusOK)
		var last *answer
		eventually(t, patience, "the token expires", func() bool {
			begun := time.Now()
			last = s.bearer("/recorder/", got.Access)
			if last.status == http.StatusOK && begun.After(over) {
				t.Fatal("the token is still good though it has expired")
			}
			return last.status != http.StatusOK
		})
		last.wantProblem(t, http.StatusUnauthorized, "token-expired", "token-invalid")
		last.wantChallenge(t, "invalid_token")
		s.bearer("/recorder/", program.refresh(got).Access).wantStatus(t, http.StatusOK)
	})
}

func TestARevocationIsSeenWithinCacheMax(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		const cacheMax = 2 * time.Second
		s := setup.site(t)
		s.CacheMax = cacheMax.String()
		s.Recorder = newRecorder(t).url
		s.start()
		program := s.native("native-public", "")
		who := s.idp.newPerson(t, "teams/kde-developers")
		for _, tc := range []struct {
			name   string
			lose   func(tokens)
			status int
		}{
			{"the program revokes its token", func(g tokens) { program.revoke(g.Access) }, http.StatusUnauthorized},
			{"the program revokes its refresh token", func(g tokens) { program.revoke(g.Refresh) }, http.StatusUnauthorized},
			{"an administrator revokes all tokens", func(tokens) { s.idp.revokeAll(t, who) }, http.StatusUnauthorized},
			{"the provider lets all tokens expire", func(tokens) { s.idp.expireAll(t, who) }, http.StatusUnauthorized},
			{"the person leaves the group", func(tokens) { s.idp.change(t, who, map[string]any{"groups": []string{"websites/fans"}}) }, http.StatusForbidden},
			{"the person is blocked", func(tokens) { s.idp.change(t, who, map[string]any{"blocked": true}) }, blockedStatus(s.idp)},
		} {
			path := "/anybody/"
			if tc.status == http.StatusForbidden {
				path = "/recorder/"
			}
			got := program.signIn(who)
			s.bearer(path, got.Access).wantStatus(t, http.StatusOK)
			forgotten := time.Now().Add(cacheMax) // the answer that was remembered is not younger
			tc.lose(got)
			eventually(t, patience, tc.name, func() bool {
				begun := time.Now()
				over := s.bearer(path, got.Access).status != http.StatusOK
				if !over && begun.After(forgotten) {
					t.Fatalf("%s: not seen after cache_max, which is %v", tc.name, cacheMax)
				}
				return over
			})
			s.bearer(path, got.Access).wantStatus(t, tc.status)
		}
	})
}

// blockedStatus is the answer to a blocked person's token. Doorkeeper fails with
// a 500 there, which says nothing about the token: neither in, nor out for good.
func blockedStatus(p *idp) int {
	if p.kind == "doorkeeper" {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

func TestManyRequestsWithANewTokenAskTheProviderOnce(t *testing.T) {
	t.Parallel()
	p := newDoorkeeper(t)
	s := newSite(t, p)
	s.Recorder = newRecorder(t).url
	s.start()
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	before := p.process.out.size()
	done := make(chan int)
	const requests = 20
	for range requests {
		go func() { done <- s.bearer("/recorder/", token).status }()
	}
	for range requests {
		if status := <-done; status != http.StatusOK {
			t.Errorf("got status %d, want 200", status)
		}
	}
	if asked := strings.Count(p.process.out.since(before), `Started GET "/oauth/userinfo"`); asked != 1 {
		t.Errorf("userinfo was asked %d times for %d requests, want once", asked, requests)
	}
}

// changeSignature returns the JWT with one bit of its signature turned.
func changeSignature(t testing.TB, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	sig[len(sig)/2] ^= 1
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// unsigned returns the JWT with alg none and no signature.
func unsigned(t testing.TB, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
}

// changeClaims returns the JWT with other claims under its old signature.
func changeClaims(t testing.TB, token string, changes map[string]any) string {
	t.Helper()
	parts := strings.Split(token, ".")
	claims := payload(t, token)
	for name, value := range changes {
		claims[name] = value
	}
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(data) + "." + parts[2]
}
