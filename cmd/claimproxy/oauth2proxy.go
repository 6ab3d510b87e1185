package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// oauth2Proxy answers at the addresses of oauth2-proxy, so that what was set up for it needs
// no other ones. Pages are claimproxy's own, which people are led to; what a front proxy
// asks is the proxy's to answer.
type oauth2Proxy struct {
	endpoints string
	sessions  proxy.Sessions
	answers   *answer.Answers
}

// newOAuth2Proxy is nil where the configuration does not ask for it.
func newOAuth2Proxy(cfg *config.Config, sessions proxy.Sessions, answers *answer.Answers) *oauth2Proxy {
	if !slices.Contains(cfg.Compat, config.CompatOAuth2Proxy) {
		return nil
	}
	return &oauth2Proxy{endpoints: cfg.Endpoints, sessions: sessions, answers: answers}
}

// serve answers a request for one of these addresses, and reports whether it was one.
func (o *oauth2Proxy) serve(w http.ResponseWriter, r *http.Request) bool {
	if o == nil || r.URL.Path == proxy.OAuth2ProxyAuth || !slices.Contains(config.OAuth2ProxyPaths, r.URL.Path) {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		o.answers.Problem(w, r, http.StatusMethodNotAllowed, answer.Problem{Code: string(proxy.ReasonMethod), Detail: "Only GET and HEAD are answered here."})
		return true
	}
	switch r.URL.Path {
	case "/oauth2/userinfo":
		o.userinfo(w, r)
	case "/oauth2/sign_out":
		// Nothing that a link can do ends a session: the page there asks.
		o.answers.Redirect(w, r, http.StatusFound, o.endpoints+"/sign-out")
	default:
		o.signIn(w, r)
	}
	return true
}

// signIn leads to the page where people sign in, which looks at where they want to return.
func (o *oauth2Proxy) signIn(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("rd")
	if to == "" {
		to = r.Header.Get("X-Auth-Request-Redirect")
	}
	there := o.endpoints + "/sign-in"
	if to != "" {
		there += "?" + url.Values{"return_to": {to}}.Encode()
	}
	o.answers.Redirect(w, r, http.StatusFound, there)
}

// userinfo tells who is signed in, in oauth2-proxy's words.
func (o *oauth2Proxy) userinfo(w http.ResponseWriter, r *http.Request) {
	id, err := o.sessions.Identify(r)
	var rejected *session.Rejected
	switch {
	case err == nil:
	case errors.Is(err, session.ErrNoCredentials), errors.As(err, &rejected):
		o.answers.Problem(w, r, http.StatusUnauthorized, answer.Problem{Code: string(session.ReasonNoCredentials), Detail: "Nobody is signed in."})
		return
	default:
		w.Header().Set("Retry-After", "5")
		o.answers.Problem(w, r, http.StatusServiceUnavailable, answer.Problem{Code: string(session.ReasonStoreUnavailable), Detail: "Who is signed in cannot be looked up right now."})
		return
	}
	text := func(claim string) string { s, _ := id.Claims[claim].(string); return s }
	who := struct {
		User              string   `json:"user"`
		Email             string   `json:"email"`
		Groups            []string `json:"groups,omitempty"`
		PreferredUsername string   `json:"preferredUsername,omitempty"`
	}{User: id.User, Email: text("email"), PreferredUsername: text("preferred_username")}
	if groups, ok := id.Claims["groups"].([]any); ok {
		for _, g := range groups {
			if s, ok := g.(string); ok {
				who.Groups = append(who.Groups, s)
			}
		}
	}
	o.answers.JSON(w, r, http.StatusOK, who)
}
