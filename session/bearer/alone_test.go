package bearer_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// cluster is a provider of tokens alone, as Kubernetes and CI systems are.
func cluster(s *setup) {
	s.provider.Client, s.provider.Clients = provider.Client{}, nil
	s.provider.UserClaim, s.provider.Bearer.Audiences = "sub", []string{telemetry}
	s.verifier.Needs = nil
}

// TestTokensOfProvidersWithoutAClient are good for those they were made for, and nobody
// else: there is no client to be listed.
func TestTokensOfProvidersWithoutAClient(t *testing.T) {
	r := start(t, cluster)
	now := r.clock.Now().Unix()
	sign := func(claims object) string {
		return devprovider.SignJWT(r.Key(), nil, with(object{"iss": r.Issuer(), "iat": now, "exp": now + 300}, claims))
	}
	id := r.wantIdentity(t, sign(kubernetes))
	if id.Auth != session.AuthBearer || id.Subject != "system:serviceaccount:monitoring:prometheus" || id.User != id.Subject || id.ClientID != "" {
		t.Errorf("got %+v", id)
	}
	github := object{
		"aud": telemetry, "sub": "repo:kde/kate:ref:refs/heads/main", "repository": "kde/kate", "actor": "ada", "jti": "j", "nbf": now - 5,
	}
	if id := r.wantIdentity(t, sign(github)); id.Claims["repository"] != "kde/kate" {
		t.Errorf("got %+v", id.Claims)
	}
	for name, c := range map[string]struct {
		claims object
		reason session.Reason
	}{
		"for the cluster itself": {with(kubernetes, object{"aud": []string{"https://kubernetes.default.svc"}}), session.ReasonTokenAudience},
		"for a client's name":    {with(kubernetes, object{"aud": []string{"web"}}), session.ReasonTokenAudience},
		"for nobody":             {with(kubernetes, object{"aud": []string{}}), session.ReasonTokenAudience},
		"of some client":         {with(kubernetes, object{"azp": "web"}), session.ReasonTokenClient},
		"of a client without id": {with(kubernetes, object{"azp": ""}), session.ReasonTokenClient},
		"an ID token":            {with(kubernetes, object{"nonce": "n"}), session.ReasonTokenKind},
		"bound to a pod's key":   {with(kubernetes, object{"cnf": object{"x5t#S256": "x"}}), session.ReasonTokenKind},
	} {
		t.Run(name, func(t *testing.T) { r.wantRejected(t, sign(c.claims), c.reason) })
	}
	r.wantRejected(t, "opaque-token", session.ReasonTokenInvalid)
}

// TestKeysOfAFileProveTokens without anybody being asked.
func TestKeysOfAFileProveTokens(t *testing.T) {
	var keys []byte
	source := start(t)
	source.Key()
	res, err := http.Get(source.Provider.URL(devprovider.KeySet))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if keys, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	r := start(t, cluster, func(s *setup) {
		s.provider.Keys = keys
		s.provider.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			t.Errorf("somebody was asked: %s", req.URL)
			return nil, io.EOF
		})
	})
	now := r.clock.Now().Unix()
	claims := with(object{"iss": r.Issuer(), "iat": now, "exp": now + 300}, kubernetes)
	r.wantIdentity(t, devprovider.SignJWT(source.Key(), nil, claims))
	r.wantRejected(t, devprovider.SignJWT(r.Key(), nil, claims), session.ReasonTokenInvalid)
	r.wantRejected(t, "opaque-token", session.ReasonTokenKind)
}

// TestGooglesTokens: token information names the client, userinfo the person, and both
// have to be right.
func TestGooglesTokens(t *testing.T) {
	const good = `"azp":"native","aud":"native","sub":"110169","scope":"openid email","expires_in":"3599"`
	info, person := "{"+good+"}", `{"sub":"110169","preferred_username":"ada","hd":"kde.example"}`
	status := http.StatusOK
	r := start(t, func(s *setup) {
		s.provider.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/tokeninfo" {
				res := jsonReply(req, info)
				res.StatusCode = status
				return res, nil
			}
			return http.DefaultTransport.RoundTrip(req)
		})
		s.provider.Overrides.TokenInfoEndpoint = "http://127.0.0.1:1/tokeninfo"
	})
	r.without("introspection_endpoint", "doorkeeper")
	r.Override(devprovider.UserInfo, func(w http.ResponseWriter, req *http.Request) {
		devprovider.Answer(200, "application/json", person)(w, req)
	})
	n := 0
	next := func() string { n++; return "ya29." + string(rune('a'+n)) }
	id := r.wantIdentity(t, next())
	if id.ClientID != "native" || id.Subject != "110169" || id.User != "ada" || id.Claims["scope"] != "openid email" || id.Origins["scope"] != session.SourceTokenInfo {
		t.Errorf("got %+v", id)
	}
	for name, c := range map[string]struct {
		info   string
		reason session.Reason
	}{
		"of another client":           {`{"azp":"stranger","aud":"stranger","sub":"110169","expires_in":"9"}`, session.ReasonTokenClient},
		"of a client, for another":    {`{"azp":"native","aud":"stranger","sub":"110169","expires_in":"9"}`, session.ReasonTokenClient},
		"of another client, for ours": {`{"azp":"stranger","aud":"native","sub":"110169","expires_in":"9"}`, session.ReasonTokenClient},
		"of no client":                {`{"sub":"110169","expires_in":"9"}`, session.ReasonTokenClient},
		"of somebody else":            {`{"azp":"native","aud":"native","sub":"7","expires_in":"9"}`, session.ReasonTokenInvalid},
		"that is over":                {`{"azp":"native","aud":"native","sub":"110169","expires_in":"0"}`, session.ReasonTokenExpired},
	} {
		info = c.info
		t.Run(name, func(t *testing.T) { r.wantRejected(t, next(), c.reason) })
	}
	info, status = `{"error":"invalid_token","error_description":"Invalid Value"}`, http.StatusBadRequest
	r.wantRejected(t, next(), session.ReasonTokenInvalid)
}
