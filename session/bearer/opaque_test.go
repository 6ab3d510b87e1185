package bearer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestIntrospectionIsMergedWithUserInfo is what KDE does with a script: GitLab's
// introspection knows expiry and client and names nobody, userinfo names the
// person and the groups.
func TestIntrospectionIsMergedWithUserInfo(t *testing.T) {
	r := start(t)
	// Protocol claims of userinfo prove nothing, and the virtual ones are ours.
	r.Rewrite(devprovider.UserInfoClaims, func(doc map[string]any) {
		doc["scope"], doc["aud"], doc["acr"] = "admin", "x", "gold"
		doc["provider"], doc["auth"], doc["client_id"] = "other", "browser", "other"
		for name := range doc {
			if strings.HasPrefix(name, "https://") || name == "sub_legacy" || name == "profile" || name == "nickname" || name == "name" {
				delete(doc, name)
			}
		}
	})
	id := r.wantIdentity(t, r.Issue("ada", "native", "openid email").AccessToken)
	ends := r.clock.Now().Add(2 * time.Hour)
	if id.Provider != "dev" || id.Issuer != r.Issuer() || id.Subject != "1" || id.ClientID != "native" ||
		id.Auth != session.AuthBearer || id.User != "ada" || !id.SignedIn.Equal(r.clock.Now()) || !id.Until.Equal(ends) {
		t.Errorf("identity %+v", id)
	}
	for _, number := range []string{"iat", "exp"} {
		delete(id.Claims, number)
		if id.Origins[number] != session.SourceIntrospection {
			t.Errorf("origin of %s: %s", number, id.Origins[number])
		}
		delete(id.Origins, number)
	}
	wantClaims := session.Claims{
		"active": true, "scope": "openid email", "token_type": "Bearer", "sub": "1", "preferred_username": "ada",
		"email": "ada@kde.example", "email_verified": true, "groups": []any{"teams", "teams/kde-developers"},
		"provider": "dev", "auth": "bearer", "client_id": "native",
	}
	if diff := cmp.Diff(wantClaims, id.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	wantOrigins := map[string]session.Source{
		"active": session.SourceIntrospection, "scope": session.SourceIntrospection, "token_type": session.SourceIntrospection,
		"sub": session.SourceUserInfo, "preferred_username": session.SourceUserInfo, "email": session.SourceUserInfo,
		"email_verified": session.SourceUserInfo, "groups": session.SourceUserInfo,
		"provider": session.SourceVirtual, "auth": session.SourceVirtual, "client_id": session.SourceVirtual,
	}
	if diff := cmp.Diff(wantOrigins, id.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// TestRefreshTokenIsNoAccessToken: introspection calls it active, at Doorkeeper in
// the very words of an access token.
func TestRefreshTokenIsNoAccessToken(t *testing.T) {
	for _, client := range []string{"native", "web"} {
		r := start(t)
		tokens := r.Issue("ada", client, "openid")
		r.wantRejected(t, tokens.RefreshToken, session.ReasonTokenInvalid)
		r.wantIdentity(t, tokens.AccessToken)
		r.wantQuiet(t, tokens.RefreshToken, tokens.AccessToken)
	}
	t.Run("where the provider has no token information", func(t *testing.T) {
		r := start(t)
		r.without("doorkeeper")
		tokens := r.Issue("ada", "native", "openid")
		r.wantRejected(t, tokens.RefreshToken, session.ReasonTokenInvalid)
		r.wantIdentity(t, tokens.AccessToken)
	})
	t.Run("by the mark of token information", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Bearer.Opaque = provider.OpaqueTokenInfo })
		tokens := r.Issue("ada", "native", "openid")
		r.wantRejected(t, tokens.RefreshToken, session.ReasonTokenInvalid)
		r.wantIdentity(t, tokens.AccessToken)
	})
}

// TestMarksOfTheKindOfToken: where the provider says what a token is, that is
// believed, both ways.
func TestMarksOfTheKindOfToken(t *testing.T) {
	const base = `{"active":true,"client_id":"native","sub":"1"`
	for _, c := range []struct {
		name, mark string
		userInfo   bool // the provider has userinfo
		reason     session.Reason
	}{
		{"Bearer alone is no mark, userinfo decides", `,"token_type":"Bearer"`, true, ""},
		{"Bearer alone is no mark, and nobody decides", `,"token_type":"Bearer"`, false, session.ReasonTokenKind},
		{"no mark at all, and nobody decides", ``, false, session.ReasonTokenKind},
		{"bearer in small letters", `,"token_type":"bearer"`, true, ""},
		{"access_token", `,"token_type":"access_token"`, false, ""},
		{"Hydra's access token", `,"token_type":"Bearer","token_use":"access_token"`, false, ""},
		{"Hydra's refresh token", `,"token_type":"Bearer","token_use":"refresh_token"`, true, session.ReasonTokenKind},
		{"Keycloak's access token", `,"token_type":"Bearer","typ":"Bearer"`, false, ""},
		{"Keycloak's refresh token", `,"typ":"Refresh"`, true, session.ReasonTokenKind},
		{"Keycloak's offline token", `,"typ":"Offline"`, true, session.ReasonTokenKind},
		{"an ID token", `,"typ":"ID"`, true, session.ReasonTokenKind},
		{"a token bound to a key", `,"token_type":"DPoP"`, true, session.ReasonTokenKind},
		{"a kind that is no text", `,"token_type":["Bearer"]`, true, session.ReasonTokenKind},
		{"a token_use that is no text", `,"token_use":true`, true, session.ReasonTokenKind},
		{"a kind of null", `,"token_type":null`, true, ""},
		{"cnf", `,"cnf":{"x5t#S256":"x"}`, true, session.ReasonTokenKind},
		{"cnf that is null", `,"cnf":null`, true, session.ReasonTokenKind},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.introspectionSays(base + c.mark + "}")
			r.userInfoSays(200, `{"sub":"1","preferred_username":"ada"}`)
			r.without("doorkeeper")
			if !c.userInfo {
				r.without("userinfo_endpoint")
			}
			if c.reason != "" {
				r.wantRejected(t, "opaque", c.reason)
				return
			}
			if id := r.wantIdentity(t, "opaque"); id.Subject != "1" || id.Auth != session.AuthBearer {
				t.Errorf("got %+v, want subject 1", id)
			}
		})
	}
}

// TestTokenOfAForeignClientIsRefused: authentik's CVE-2024-47077, a token of
// application A on proxy B.
func TestTokenOfAForeignClientIsRefused(t *testing.T) {
	t.Run("as Doorkeeper answers", func(t *testing.T) {
		r := start(t)
		r.wantRejected(t, r.Issue("ada", "stranger", "openid").AccessToken, session.ReasonTokenInvalid)
	})
	t.Run("as token information answers", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Bearer.Opaque = provider.OpaqueTokenInfo })
		r.wantRejected(t, r.Issue("ada", "stranger", "openid").AccessToken, session.ReasonTokenClient)
		r.wantCalls(t, devprovider.UserInfo, 0)
	})
	for _, c := range []struct {
		name, reply string
		reason      session.Reason
	}{
		{"a listed client", `"client_id":"native"`, ""},
		{"a listed client in aud alone", `"aud":"native"`, ""},
		{"a listed client among aud", `"aud":["x","native"]`, ""},
		{"client and audience", `"client_id":"native","aud":"https://telemetry.example"`, ""},
		{"client and no audience", `"client_id":"native","aud":[]`, ""},
		{"a stranger", `"client_id":"stranger"`, session.ReasonTokenClient},
		{"a stranger for a listed audience", `"client_id":"stranger","aud":["native","web"]`, session.ReasonTokenClient},
		{"a client in other letters", `"client_id":"NATIVE"`, session.ReasonTokenClient},
		{"a client under a folded name", `"CLIENT_ID":"native"`, session.ReasonTokenClient},
		{"nobody", `"x":1`, session.ReasonTokenClient},
		{"an empty client", `"client_id":""`, session.ReasonTokenClient},
		{"null beside a listed audience", `"client_id":null,"aud":"native"`, session.ReasonTokenClient},
		{"a list", `"client_id":["native"]`, session.ReasonTokenClient},
		{"a listed client for another service", `"client_id":"native","aud":"https://other.example"`, session.ReasonTokenAudience},
		{"a listed client for no text", `"client_id":"native","aud":5`, session.ReasonTokenAudience},
		{"a listed client for an object", `"client_id":"native","aud":{"native":1}`, session.ReasonTokenAudience},
		{"another issuer", `"client_id":"native","iss":"https://evil.example"`, session.ReasonTokenProvider},
		{"an issuer that is no text", `"client_id":"native","iss":{}`, session.ReasonTokenProvider},
		{"not yet", `"client_id":"native","nbf":4000000000`, session.ReasonTokenInvalid},
		{"expired", `"client_id":"native","exp":1`, session.ReasonTokenExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(s *setup) { s.provider.Bearer.Audiences = []string{"https://telemetry.example"} })
			r.introspectionSays(`{"active":true,` + c.reply + `}`)
			r.userInfoSays(200, `{"sub":"1"}`)
			if c.reason == "" {
				r.wantIdentity(t, "opaque")
				return
			}
			r.wantRejected(t, "opaque", c.reason)
		})
	}
}

// TestEachClientAsksUntilOneKnows: Doorkeeper answers only the token's own
// application.
func TestEachClientAsksUntilOneKnows(t *testing.T) {
	r := start(t)
	for n, client := range []string{"web", "native", "tool", "endless"} {
		before := r.Calls(devprovider.Introspection)
		if id := r.wantIdentity(t, r.Issue("ada", client, "openid").AccessToken); id.ClientID != client {
			t.Errorf("client %q, want %q", id.ClientID, client)
		}
		if got := r.Calls(devprovider.Introspection) - before; got != n+1 {
			t.Errorf("%s: %d were asked, want %d", client, got, n+1)
		}
	}
	t.Run("but not one that must not", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Clients[0].NoIntrospection = true })
		r.wantRejected(t, r.Issue("ada", "native", "openid").AccessToken, session.ReasonTokenInvalid)
		r.wantCalls(t, devprovider.Introspection, 3)
	})
}

// TestRefusedCredentialsOfOneClient: they are no answer about the token. Calling
// it bad would have native programs delete their login because of our typing error.
func TestRefusedCredentialsOfOneClient(t *testing.T) {
	wrong := func(s *setup) { s.provider.Client.Secret = "wrong" }
	t.Run("another client's positive answer counts", func(t *testing.T) {
		r := start(t, wrong)
		r.wantIdentity(t, r.Issue("ada", "tool", "openid").AccessToken)
		r.wantCalls(t, devprovider.TokenInfo, 0)
	})
	t.Run("the warning is given once, not for each token", func(t *testing.T) {
		r := start(t, wrong)
		for range 5 {
			r.wantIdentity(t, r.Issue("ada", "tool", "openid").AccessToken)
		}
		if n := strings.Count(r.log.String(), "introspection refused"); n != 1 {
			t.Errorf("warned %d times, want once", n)
		}
		r.clock.Advance(time.Minute)
		r.wantIdentity(t, r.Issue("ada", "tool", "openid").AccessToken)
		if n := strings.Count(r.log.String(), "introspection refused"); n != 2 {
			t.Errorf("a minute later: warned %d times, want twice", n)
		}
		r.wantQuiet(t)
	})
	t.Run("token information decides: good", func(t *testing.T) {
		r := start(t, wrong)
		id := r.wantIdentity(t, r.Issue("ada", "web", "openid").AccessToken)
		if id.ClientID != "web" || id.Subject != "1" || id.Origins["scope"] != session.SourceTokenInfo {
			t.Errorf("got %+v, want ada by token information", id)
		}
	})
	t.Run("token information decides: unknown", func(t *testing.T) {
		r := start(t, wrong)
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
		r.wantCalls(t, devprovider.UserInfo, 0)
	})
	t.Run("token information decides: a refresh token", func(t *testing.T) {
		r := start(t, wrong)
		r.wantRejected(t, r.Issue("ada", "web", "openid").RefreshToken, session.ReasonTokenInvalid)
	})
	t.Run("token information decides: a stranger's", func(t *testing.T) {
		r := start(t, wrong)
		r.wantRejected(t, r.Issue("ada", "stranger", "openid").AccessToken, session.ReasonTokenClient)
	})
	t.Run("without it, userinfo's 401 refuses", func(t *testing.T) {
		r := start(t, wrong)
		r.without("doorkeeper")
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
	})
	for name, status := range map[string]int{"200": 200, "403": 403, "500": 500} {
		t.Run("without it, userinfo's "+name+" says nothing of the client", func(t *testing.T) {
			r := start(t, wrong)
			r.without("doorkeeper")
			r.userInfoSays(status, `{"sub":"1"}`)
			token := r.Issue("ada", "web", "openid").AccessToken
			r.wantUnavailable(t, token)
			before := r.asked()
			r.wantUnavailable(t, token)
			if r.asked() == before {
				t.Error("the outage was remembered")
			}
			r.wantQuiet(t, token)
		})
	}
	t.Run("no client may ask", func(t *testing.T) {
		none := func(s *setup) {
			s.provider.Client.NoIntrospection = true
			for i := range s.provider.Clients {
				s.provider.Clients[i].NoIntrospection = true
			}
		}
		r := start(t, none)
		r.wantIdentity(t, r.Issue("ada", "web", "openid").AccessToken)
		r.wantCalls(t, devprovider.Introspection, 0)
		r = start(t, none)
		r.without("doorkeeper")
		r.wantUnavailable(t, r.Issue("ada", "web", "openid").AccessToken)
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
	})
}

func TestTokenInfoNeedsNoCredentials(t *testing.T) {
	r := start(t, func(s *setup) {
		s.provider.Bearer.Opaque = provider.OpaqueTokenInfo
		s.provider.Client = provider.Client{}
		s.provider.Clients = []provider.Client{{ID: "native"}, {ID: "endless"}}
	})
	id := r.wantIdentity(t, r.Issue("ada", "native", "openid email").AccessToken)
	if id.Subject != "1" || id.User != "ada" || id.ClientID != "native" || id.Claims["scope"] != "openid email" ||
		!id.Until.Equal(r.clock.Now().Add(2*time.Hour)) {
		t.Errorf("got %+v", id)
	}
	if id := r.wantIdentity(t, r.Issue("ada", "endless", "openid").AccessToken); !id.Until.IsZero() {
		t.Errorf("a token that never ends: until %v", id.Until)
	}
	r.wantRejected(t, r.Issue("ada", "web", "openid").AccessToken, session.ReasonTokenClient)
	r.wantCalls(t, devprovider.Introspection, 0)
	t.Run("and userinfo's 401 still refuses", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Bearer.Opaque = provider.OpaqueTokenInfo })
		r.userInfoSays(401, "")
		r.wantRejected(t, r.Issue("ada", "native", "openid").AccessToken, session.ReasonTokenInvalid)
	})
}

// TestOpaqueTokensOff: nobody is asked, whether the provider is there or not.
func TestOpaqueTokensOff(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"opaque: off":         func(s *setup) { s.provider.Bearer.Opaque = provider.OpaqueOff },
		"accept: [id_token]":  func(s *setup) { s.provider.Bearer.AccessToken, s.provider.Bearer.IDToken = false, true },
		"accept says nothing": func(s *setup) { s.provider.Bearer = provider.Bearer{CacheMax: cacheMax} },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, change)
			r.wantRejected(t, r.Issue("ada", "web", "openid").AccessToken, session.ReasonTokenKind)
			r.wantCalls(t, devprovider.Discovery, 0)
		})
	}
	t.Run("nothing to ask at", func(t *testing.T) {
		r := start(t)
		r.without("introspection_endpoint", "doorkeeper")
		r.wantRejected(t, r.Issue("ada", "web", "openid").AccessToken, session.ReasonTokenKind)
		if r.asked() != 0 {
			t.Errorf("asked %d times", r.asked())
		}
	})
}

func TestSubjectsMustAgree(t *testing.T) {
	for _, c := range []struct {
		name, introspection, userInfo string
		reason                        session.Reason
	}{
		{"both name one person", `"sub":"1"`, `"sub":"1"`, ""},
		{"userinfo alone names one", `"x":1`, `"sub":"1"`, ""},
		{"null names nobody", `"sub":null`, `"sub":"1"`, ""},
		{"two people", `"sub":"1"`, `"sub":"2"`, session.ReasonTokenInvalid},
		{"other letters", `"sub":"a"`, `"sub":"A"`, session.ReasonTokenInvalid},
		{"a number is no name", `"sub":1`, `"sub":"1"`, session.ReasonTokenInvalid},
		{"an empty name", `"sub":""`, `"sub":"1"`, session.ReasonTokenInvalid},
		{"a folded name is another claim", `"SUB":"2"`, `"sub":"1"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.introspectionSays(`{"active":true,"client_id":"web",` + c.introspection + `}`)
			r.userInfoSays(200, `{`+c.userInfo+`}`)
			if c.reason != "" {
				r.wantRejected(t, "opaque", c.reason)
				return
			}
			if id := r.wantIdentity(t, "opaque"); id.Subject != "1" || id.Claims["sub"] != "1" {
				t.Errorf("got subject %q, claim %v, want 1", id.Subject, id.Claims["sub"])
			}
		})
	}
	t.Run("userinfo without sub is an outage", func(t *testing.T) {
		r := start(t)
		r.userInfoSays(200, `{"groups":["x"]}`)
		r.wantUnavailable(t, r.Issue("ada", "web", "openid").AccessToken)
	})
}

// TestTokensWithoutAPerson: never signed in, no user, and told apart from people
// of whom nothing is known (RFC 9700 section 4.15).
func TestTokensWithoutAPerson(t *testing.T) {
	const (
		clients  = `{"active":true,"client_id":"web","sub":"web"}`
		nameless = `{"active":true,"client_id":"web"}`
	)
	for _, c := range []struct {
		name    string
		prepare func(r *rig) (token string)
		auth    session.Auth
		subject string
	}{
		{"client credentials at Doorkeeper", func(r *rig) string { return r.Issue("", "web", "read_api").AccessToken }, session.AuthClient, ""},
		{"a person's token without openid at Doorkeeper", func(r *rig) string { return r.Issue("ada", "web", "read_api").AccessToken }, session.AuthBearer, ""},
		{"userinfo gives 401 for a client's token, token information knows it", func(r *rig) string {
			r.userInfoSays(401, "")
			return r.Issue("", "web", "read_api").AccessToken
		}, session.AuthClient, ""},
		{"sub is the client, userinfo gives nothing", func(r *rig) string {
			r.without("doorkeeper")
			r.introspectionSays(clients)
			r.userInfoSays(403, "")
			return "opaque"
		}, session.AuthClient, ""},
		{"sub is the client, and the provider marks an access token", func(r *rig) string {
			r.without("doorkeeper")
			r.introspectionSays(strings.Replace(clients, "{", `{"token_use":"access_token",`, 1))
			r.userInfoSays(401, "")
			return "opaque"
		}, session.AuthClient, ""},
		{"sub is the client, and so it is for userinfo", func(r *rig) string {
			r.introspectionSays(nameless)
			r.userInfoSays(200, `{"sub":"web","preferred_username":"root"}`)
			return "opaque"
		}, session.AuthClient, ""},
		{"nobody says whose it is", func(r *rig) string {
			r.without("doorkeeper")
			r.introspectionSays(nameless)
			r.userInfoSays(403, "")
			return "opaque"
		}, session.AuthClient, ""},
		{"introspection names a person, userinfo gives nothing", func(r *rig) string {
			r.without("doorkeeper")
			r.introspectionSays(`{"active":true,"client_id":"web","sub":"7","username":"ada"}`)
			r.userInfoSays(403, "")
			return "opaque"
		}, session.AuthBearer, "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			id := r.wantIdentity(t, c.prepare(r))
			if id.Auth != c.auth || id.Subject != c.subject || id.Claims["auth"] != string(c.auth) {
				t.Errorf("got auth %s (claim %v), subject %q, want %s, %q", id.Auth, id.Claims["auth"], id.Subject, c.auth, c.subject)
			}
			if id.User != "" || id.Claims["groups"] != nil {
				t.Errorf("got user %q and groups %v, want none", id.User, id.Claims["groups"])
			}
		})
	}
	for name, prepare := range map[string]func(r *rig){
		"a refresh token of a person, userinfo 401 and token information too": func(r *rig) { r.userInfoSays(401, "") },
		"token information knows a person where userinfo gives 401": func(r *rig) {
			r.userInfoSays(401, "")
			r.Override(devprovider.TokenInfo, devprovider.Answer(200, "application/json", `{"resource_owner_id":1,"application":{"uid":"web"}}`))
		},
		"token information knows another client": func(r *rig) {
			r.userInfoSays(401, "")
			r.Override(devprovider.TokenInfo, devprovider.Answer(200, "application/json", `{"resource_owner_id":null,"application":{"uid":"stranger"}}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.introspectionSays(nameless)
			prepare(r)
			_, err := r.verify(t, "opaque")
			if _, rejected := err.(*session.Rejected); !rejected {
				t.Errorf("got %v, want it rejected", err)
			}
		})
	}
}

// TestBlockedPersonIsAnOutage: GitLab answers 500 where a blocked person's token is
// shown. That lets nobody in, and it is no verdict that outlives the block.
func TestBlockedPersonIsAnOutage(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	r.block(t, "ada", true)
	for n := range 3 {
		r.wantUnavailable(t, token)
		r.wantCalls(t, devprovider.UserInfo, n+1)
	}
	r.block(t, "ada", false)
	r.wantIdentity(t, token)
}

// TestOutageIsNeverABadToken: 401 has Prometheus drop samples and QField delete its
// login. Each endpoint fails in turn; the token works again with the first answer.
func TestOutageIsNeverABadToken(t *testing.T) {
	for _, opaque := range []provider.Opaque{provider.OpaqueIntrospection, provider.OpaqueTokenInfo} {
		for name, fail := range map[string]http.HandlerFunc{
			"500": devprovider.Answer(500, "text/html", "<html>"), "429": devprovider.Answer(429, "text/html", ""),
			"a page": devprovider.Answer(200, "text/html", "<html>"), "no connection": devprovider.Drop,
			"a redirect to its login": devprovider.Redirect("/login"), "an endless reply": devprovider.Oversized(3 << 20),
		} {
			for _, endpoint := range []devprovider.Endpoint{devprovider.Introspection, devprovider.UserInfo, devprovider.TokenInfo} {
				if endpoint == devprovider.Introspection && opaque == provider.OpaqueTokenInfo ||
					endpoint == devprovider.TokenInfo && opaque == provider.OpaqueIntrospection {
					continue
				}
				t.Run(string(opaque)+" "+string(endpoint)+" "+name, func(t *testing.T) {
					r := start(t, func(s *setup) { s.provider.Bearer.Opaque = opaque })
					token := r.Issue("ada", "native", "openid").AccessToken
					r.Override(endpoint, fail)
					r.wantUnavailable(t, token)
					r.wantUnavailable(t, token)
					r.Restore()
					r.wantIdentity(t, token)
					r.wantQuiet(t, token)
				})
			}
		}
	}
	t.Run("discovery", func(t *testing.T) {
		r := start(t)
		token := r.Issue("ada", "native", "openid").AccessToken
		r.Fail(503, devprovider.Discovery)
		r.wantUnavailable(t, token)
		r.Restore()
		r.clock.Advance(time.Second) // its back-off
		r.wantIdentity(t, token)
	})
	t.Run("a cached token goes on working", func(t *testing.T) {
		r := start(t)
		token := r.Issue("ada", "native", "openid").AccessToken
		r.wantIdentity(t, token)
		r.Server.Close()
		r.clock.Advance(cacheMax - time.Nanosecond)
		r.wantIdentity(t, token)
		r.clock.Advance(time.Nanosecond)
		r.wantUnavailable(t, token)
	})
}

// TestAlmostAToken: zitadel's CVE-2026-27840 let truncated opaque tokens in; and
// text that is no token at all is nobody's question.
func TestAlmostAToken(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	r.wantIdentity(t, token)
	for name, bad := range map[string]string{
		"the last character dropped": token[:len(token)-1], "one more": token + "0", "in capitals": strings.ToUpper(token),
		"the first character dropped": token[1:], "three parts": token + "." + token + "." + token,
	} {
		t.Run(name, func(t *testing.T) { r.wantRejected(t, bad, session.ReasonTokenInvalid) })
	}
	before := r.asked()
	for name, bad := range map[string]string{
		"empty": "", "a blank": " ", "a blank inside": "a b", "a line break": token + "\r\nX-Evil: 1", "a NUL": token + "\x00",
		"beyond ASCII": token + "ü", "a tab": "\t" + token, "DEL": "\x7f", "beyond all bounds": strings.Repeat("a", 64<<10+1),
	} {
		t.Run(name, func(t *testing.T) { r.wantRejected(t, bad, session.ReasonTokenInvalid) })
	}
	if r.asked() != before {
		t.Error("the provider was asked about text that is no token")
	}
}
