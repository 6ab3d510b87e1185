package devprovider

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// logoutEvent is the event of a logout token (OpenID Connect Back-Channel Logout 1.0
// section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutClaims are the claims of a logout token for a client: of one login where sid is
// not empty, of all that the person has where it is.
func (p *Provider) LogoutClaims(client, person, sid string) map[string]any {
	now := p.opts.Now()
	claims := map[string]any{
		"iss": p.opts.Issuer, "aud": client, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": random(), "events": map[string]any{logoutEvent: map[string]any{}},
	}
	if person != "" {
		claims["sub"] = p.Person(person).Subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	return claims
}

// LogoutToken signs claims such as those of LogoutClaims.
func (p *Provider) LogoutToken(claims map[string]any) string {
	return p.SignJWT(map[string]any{"typ": "logout+jwt"}, claims)
}

// tell calls the clients that have signed a person in, one after the other. Whether they
// did as they were told makes no difference here.
func (p *Provider) tell(s browserSession) {
	for _, id := range s.clients {
		c := p.client(id)
		if c == nil || c.BackchannelLogoutURI == "" || p.person(s.person) == nil {
			continue
		}
		sid := s.sid
		if c.LogoutWithoutSID {
			sid = ""
		}
		claims := p.rewritten(LogoutTokenClaims, p.LogoutClaims(id, s.person, sid))
		p.notify(c.BackchannelLogoutURI, p.LogoutToken(claims))
	}
}

// notify is the logout request of section 2.5.
func (p *Provider) notify(uri, token string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	form := url.Values{"logout_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := client.Do(req); err == nil {
		res.Body.Close()
	}
}
