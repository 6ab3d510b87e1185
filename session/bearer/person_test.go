package bearer_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestClaimsThatAJWTLacksComeFromUserInfo, and are asked for once.
func TestClaimsThatAJWTLacksComeFromUserInfo(t *testing.T) {
	r := start(t, publish, func(s *setup) {
		s.dev.Clients = append(s.dev.Clients, devprovider.Client{ID: "jwt", JWT: true, Native: true, Audience: []string{telemetry}})
		s.provider.Clients[0].ID = "jwt"
	})
	// Protocol claims of userinfo prove nothing, and the virtual ones are ours.
	r.Rewrite(devprovider.UserInfoClaims, func(doc map[string]any) {
		doc["scope"], doc["aud"], doc["acr"], doc["exp"] = "admin", "x", "gold", 1
		doc["provider"], doc["auth"], doc["client_id"] = "other", "browser", "other"
	})
	token := r.Issue("ada", "jwt", "openid").AccessToken
	id := r.wantIdentity(t, token)
	if r.wantIdentity(t, token) != id {
		t.Error("another identity, want the one that was cached")
	}
	r.wantCalls(t, devprovider.UserInfo, 1)
	r.wantCalls(t, devprovider.Introspection, 0)
	if groups := id.Claims.Strings("groups"); len(groups) != 2 || groups[1] != "teams/kde-developers" ||
		id.Origins["groups"] != session.SourceUserInfo || id.User != "ada" || id.Subject != "1" {
		t.Errorf("identity %+v", id)
	}
	for name, want := range map[string]any{
		"scope": "openid", "aud": telemetry, "acr": nil, "provider": "dev", "auth": "bearer", "client_id": "jwt", "sub": "1",
	} {
		if id.Claims[name] != want {
			t.Errorf("claim %s: got %v, want %v", name, id.Claims[name], want)
		}
	}
	if id.Origins["sub"] != session.SourceAccessToken {
		t.Errorf("origin of sub: %s", id.Origins["sub"])
	}
}

// TestUserInfoIsAskedOnlyForWhatIsNeeded: a token that has all that policies and
// headers use costs no call, and works while userinfo sleeps.
func TestUserInfoIsAskedOnlyForWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		needs  []string
		user   string
		change map[string]any
		calls  int
	}{
		{"all is there", []string{"groups"}, "preferred_username", nil, 0},
		{"an empty list is there", []string{"groups"}, "preferred_username", map[string]any{"groups": []string{}}, 0},
		{"false is there", []string{"email_verified"}, "sub", map[string]any{"email_verified": false}, 0},
		{"nothing is needed", nil, "", map[string]any{"groups": nil, "preferred_username": nil}, 0},
		{"needed for a policy", []string{"groups", "email"}, "preferred_username", nil, 1},
		{"needed to name the person", []string{"groups"}, "preferred_username", map[string]any{"preferred_username": nil}, 1},
		{"in other letters only", []string{"groups"}, "sub", map[string]any{"groups": nil, "Groups": []string{"x"}}, 1},
		{"the protocol's, which userinfo is not believed", []string{"acr", "auth_time", "scp", "sub", "aud"}, "sub", nil, 0},
		{"claimproxy's own", []string{"provider", "auth", "client_id"}, "sub", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(s *setup) { s.verifier.Needs, s.provider.UserClaim = c.needs, c.user })
			if c.calls == 0 {
				r.Fail(500, devprovider.UserInfo)
			} else {
				r.userInfoSays(200, `{"sub":"1"}`)
			}
			r.wantIdentity(t, r.sign(c.change))
			r.wantCalls(t, devprovider.UserInfo, c.calls)
		})
	}
}

// TestUserInfoThatGivesNothing: oidc-provider and Entra ID have access tokens that
// are not for userinfo. The token is good, what it lacks is missing.
func TestUserInfoThatGivesNothing(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"401":         func(r *rig) { r.userInfoSays(401, "") },
		"403":         func(r *rig) { r.userInfoSays(403, "") },
		"no userinfo": func(r *rig) { r.without("userinfo_endpoint") },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			prepare(r)
			token := r.sign(map[string]any{"groups": nil, "preferred_username": nil})
			id := r.wantIdentity(t, token)
			if _, there := id.Claims["groups"]; there || id.User != "" || id.Subject != "1" || id.Auth != session.AuthBearer {
				t.Errorf("identity %+v, want 1 without groups and user", id)
			}
			asked := r.asked()
			r.wantIdentity(t, token)
			if r.asked() != asked {
				t.Error("asked again within cache_max")
			}
		})
	}
}

// TestUserInfoOfAnotherPersonIsRefused (OpenID Connect Core section 5.3.2): a
// stolen or mixed up answer must not lend its groups.
func TestUserInfoOfAnotherPersonIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, reply string
		reason      session.Reason
	}{
		{"the same", `{"sub":"1","groups":["x"]}`, ""},
		{"another", `{"sub":"2","groups":["x"]}`, session.ReasonTokenInvalid},
		{"the same, longer", `{"sub":"1 ","groups":["x"]}`, session.ReasonTokenInvalid},
		{"another in other letters", `{"sub":"1","SUB":"2","groups":["x"]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.userInfoSays(200, c.reply)
			token := r.sign(map[string]any{"groups": nil})
			r.want(t, token, c.reason)
			r.wantCalls(t, devprovider.UserInfo, 1)
		})
	}
	for name, reply := range map[string]string{
		"nobody": `{"groups":["x"]}`, "a number": `{"sub":1}`, "in other letters": `{"SUB":"1"}`, "twice": `{"sub":"1","sub":"2"}`,
	} {
		t.Run(name+" is an outage", func(t *testing.T) {
			r := start(t)
			r.userInfoSays(200, reply)
			r.wantUnavailable(t, r.sign(map[string]any{"groups": nil}))
		})
	}
}

// TestUserInfoThatSleepsIsNoVerdict: neither a bad token nor a person without
// groups, and forgotten at once.
func TestUserInfoThatSleepsIsNoVerdict(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"500": devprovider.Answer(500, "text/html", "<html>"), "503": devprovider.Answer(503, "", ""),
		"429": devprovider.Answer(429, "", ""), "404": devprovider.Answer(404, "text/html", ""), "no connection": devprovider.Drop,
		"a page": devprovider.Answer(200, "text/html", "<html>"), "a redirect to its login": devprovider.Redirect("/login"),
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.Override(devprovider.UserInfo, fail)
			token := r.sign(map[string]any{"groups": nil})
			for range 2 {
				before := r.Calls(devprovider.UserInfo)
				r.wantUnavailable(t, token)
				if r.Calls(devprovider.UserInfo) == before {
					t.Error("the outage was cached")
				}
			}
			r.userInfoSays(200, `{"sub":"1","groups":["teams"]}`)
			if groups := r.wantIdentity(t, token).Claims.Strings("groups"); len(groups) != 1 {
				t.Errorf("groups %v, want those of userinfo", groups)
			}
			r.wantQuiet(t, token)
		})
	}
}

// TestSubjectOfAJWT: who is not named as OpenID Connect has it is nobody, and never
// the next person whose name is empty too.
func TestSubjectOfAJWT(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		name   string
		sub    any
		reason session.Reason
	}{
		{"text", "auth0|5f", ""},
		{"255 characters", strings.Repeat("a", 255), ""},
		{"256 characters", strings.Repeat("a", 256), session.ReasonTokenInvalid},
		{"empty", "", session.ReasonTokenInvalid},
		{"null", json.RawMessage("null"), session.ReasonTokenInvalid},
		{"a number", 1, session.ReasonTokenInvalid},
		{"a list", []string{"1"}, session.ReasonTokenInvalid},
		{"a line break", "1\nX-Forwarded-User: root", session.ReasonTokenInvalid},
		{"beyond ASCII", "äda", session.ReasonTokenInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := r.sign(map[string]any{"sub": c.sub})
			if r.want(t, token, c.reason); c.reason == "" {
				if id := r.wantIdentity(t, token); id.Subject != c.sub {
					t.Errorf("subject %q, want %q", id.Subject, c.sub)
				}
			}
		})
	}
}

// TestClientsOwnJWTIsNobody (RFC 9700 section 4.15): a client that may choose its
// name could be taken for a person. It has no user and nobody is asked about it.
func TestClientsOwnJWTIsNobody(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"sub is the client":            {"sub": "native"},
		"sub is the client of azp":     {"sub": "native", "client_id": nil, "azp": "native"},
		"sub is the client of aud":     {"sub": "web", "client_id": nil},
		"no sub":                       {"sub": nil},
		"Auth0's sub":                  {"sub": "native@clients"},
		"Auth0's grant":                {"gty": "client-credentials"},
		"Entra ID's mark":              {"idtyp": "app"},
		"Entra ID without its mark":    {"sub": "0f31", "oid": "0f31", "tid": "7d"},
		"Keycloak's service account":   {"preferred_username": "service-account-native"},
		"Keycloak's, in small letters": {"client_id": nil, "azp": "Robot", "clientId": "Robot", "preferred_username": "service-account-robot"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *setup) {
				s.verifier.Needs = []string{"groups", "email"}
				s.provider.Clients[1].ID = "Robot"
			})
			r.Fail(500, devprovider.UserInfo)
			id := r.wantIdentity(t, r.sign(change))
			if id.Auth != session.AuthClient || id.Claims["auth"] != "client" || id.Subject != "" || id.User != "" {
				t.Errorf("identity %+v, want a client's own", id)
			}
			if client := id.ClientID; client == "" || id.Claims["client_id"] != client {
				t.Errorf("client %q, claim %v", client, id.Claims["client_id"])
			}
			r.wantCalls(t, devprovider.UserInfo, 0)
		})
	}
	for name, change := range map[string]map[string]any{
		"a person":                              nil,
		"sub is another client":                 {"sub": "web"},
		"a person at Entra ID":                  {"sub": "pairwise", "oid": "0f31", "tid": "7d", "scp": "x"},
		"a person at Auth0":                     {"gty": "password"},
		"a person named like a service account": {"client_id": nil, "azp": "native", "preferred_username": "service-account-native"},
		"another client's service account":      {"preferred_username": "service-account-web"},
		"sub and oid, and no tenant":            {"oid": "1"},
	} {
		t.Run("but not "+name, func(t *testing.T) {
			r := start(t)
			if id := r.wantIdentity(t, r.sign(change)); id.Auth != session.AuthBearer || id.Subject == "" || id.User == "" {
				t.Errorf("identity %+v, want a person", id)
			}
		})
	}
}
