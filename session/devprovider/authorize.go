package devprovider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authRequest is a checked authorization request (RFC 6749 section 4.1.1, OpenID
// Connect Core 1.0 section 3.1.2.1).
type authRequest struct {
	client      *Client
	redirectURI string
	scopes      []string
	state       string
	nonce       string
	challenge   string
	prompt      []string
	loginHint   string
}

// authParameters are those that the page hands on to the form's target.
var authParameters = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "prompt", "login_hint",
}

// serveAuthorize is the authorization endpoint.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	client := p.client(r.Form.Get("client_id"))
	if client == nil {
		p.refusePage(w, "This client is not known here.", "No client is registered under the client_id of the request.")
		return
	}
	req := authRequest{client: client, redirectURI: r.Form.Get("redirect_uri"), state: r.Form.Get("state")}
	if !client.allows(req.redirectURI) {
		// Leading anywhere from here would be an open redirector (RFC 9700 section 4.11).
		p.refusePage(w, "This address is not registered.",
			"The redirect_uri of the request is not one of those registered for "+client.Name+".")
		return
	}
	if code, description := p.read(&req, r.Form); code != "" {
		p.redirectError(w, r, req, code, description)
		return
	}
	name, authTime := p.picked(w, r, req)
	if name == "" {
		return
	}
	person := p.person(name)
	if person == nil || person.Blocked {
		p.redirectError(w, r, req, "access_denied", "This person cannot sign in.")
		return
	}
	sid := p.remember(w, r, client, name, authTime)
	p.redirect(w, r, req, url.Values{"code": {p.grants.addCode(code{
		grant:       grant{client: client.ID, person: name, scopes: req.scopes, authTime: authTime, sid: sid},
		redirectURI: req.redirectURI,
		challenge:   req.challenge,
		nonce:       req.nonce,
		expires:     p.opts.Now().Add(p.opts.CodeLife),
	})}})
}

// picked returns who is signing in, and when they were picked: whoever the page's
// form names; whom SignInAs has named; whom login_hint names when AutoApprove is
// on; for prompt=none whom this browser has picked before. In all other cases it
// answers itself, for instance with the page, and returns no name.
func (p *Provider) picked(w http.ResponseWriter, r *http.Request, req authRequest) (name string, authTime time.Time) {
	now := p.opts.Now()
	p.mu.Lock()
	forced := p.signInAs
	p.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.PostForm.Has("cancel"):
		p.redirectError(w, r, req, "access_denied", "The resource owner or authorization server denied the request.")
	case r.Method == http.MethodPost && r.PostForm.Get("person") != "":
		if p.sameOrigin(r) {
			return r.PostForm.Get("person"), now
		}
		p.refusePage(w, "Not from this page.", "Somebody else's page tried to sign you in.")
	case forced != "":
		return forced, now
	case p.opts.AutoApprove && req.loginHint != "":
		return req.loginHint, now
	case slices.Contains(req.prompt, "none"):
		if name, authTime := p.remembered(r); name != "" {
			return name, authTime
		}
		p.redirectError(w, r, req, "login_required", "The authorization server requires end-user authentication")
	default:
		p.pickPage(w, r, req)
	}
	return "", time.Time{}
}

// read checks what may be answered to the redirect URI. It returns an error code
// and description of RFC 6749 section 4.1.2.1, or nothing.
func (p *Provider) read(req *authRequest, form url.Values) (errorCode, description string) {
	if form.Get("response_type") != "code" {
		return "unsupported_response_type", "The authorization server does not support this response type."
	}
	var err error
	if req.scopes, err = p.scopes(form.Get("scope")); err != nil {
		return "invalid_scope", "The requested scope is invalid, unknown, or malformed."
	}
	req.challenge = form.Get("code_challenge")
	switch method := form.Get("code_challenge_method"); {
	case req.challenge == "" && req.client.RequirePKCE:
		return "invalid_request", "Missing required parameter: code_challenge."
	case req.challenge == "" && method == "":
	case method != "S256" || len(req.challenge) != 43:
		return "invalid_request", "The code challenge must be a SHA-256 hash, method S256."
	}
	req.nonce, req.loginHint = form.Get("nonce"), form.Get("login_hint")
	req.prompt = strings.Fields(form.Get("prompt"))
	if slices.Contains(req.prompt, "none") && len(req.prompt) > 1 {
		return "invalid_request", "The prompt none goes with no other."
	}
	return "", ""
}

func (p *Provider) redirectError(w http.ResponseWriter, r *http.Request, req authRequest, errorCode, description string) {
	p.redirect(w, r, req, url.Values{"error": {errorCode}, "error_description": {description}})
}

// redirect answers to the redirect URI, whose own query stays as it is.
func (p *Provider) redirect(w http.ResponseWriter, r *http.Request, req authRequest, params url.Values) {
	if req.state != "" {
		params.Set("state", req.state)
	}
	if p.opts.ResponseIssuer {
		params.Set("iss", p.opts.Issuer)
	}
	sep := "?"
	if strings.Contains(req.redirectURI, "?") {
		sep = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", req.redirectURI+sep+params.Encode())
	// 303 turns the form's POST into a GET (RFC 9700 section 4.12).
	w.WriteHeader(http.StatusSeeOther)
}

// sameOrigin reports whether a form was posted from our own page.
func (p *Provider) sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host || origin == "https://"+r.Host
}

// browserSession is what the provider remembers about a browser.
type browserSession struct {
	person   string
	authTime time.Time
	sid      string   // what clients know it by
	clients  []string // that have signed the person in
}

const (
	// Cookies know no ports, so all that runs on 127.0.0.1 shares them: the name
	// must not be anybody else's.
	cookieName  = "devprovider_session"
	maxSessions = 1000
)

// remembered returns who was picked in this browser before, and when.
func (p *Provider) remembered(r *http.Request) (string, time.Time) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[cookie.Value]
	return s.person, s.authTime
}

// remember keeps who was picked and for which client, under a new cookie. It returns
// the sid, which stays while the person does.
func (p *Provider) remember(w http.ResponseWriter, r *http.Request, client *Client, name string, authTime time.Time) string {
	id := random()
	s := browserSession{person: name, authTime: authTime, sid: random()}
	p.mu.Lock()
	if old, err := r.Cookie(cookieName); err == nil {
		if before := p.sessions[old.Value]; before.person == name {
			s.sid, s.clients = before.sid, before.clients
		}
		delete(p.sessions, old.Value)
	}
	if !slices.Contains(s.clients, client.ID) {
		s.clients = append(slices.Clone(s.clients), client.ID)
	}
	for other := range p.sessions { // any one goes: this is a bound, not a policy
		if len(p.sessions) < maxSessions {
			break
		}
		delete(p.sessions, other)
	}
	p.sessions[id] = s
	p.mu.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: id, Path: p.prefix + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return s.sid
}

// forget ends what is remembered of the browser, and returns what that was.
func (p *Provider) forget(w http.ResponseWriter, r *http.Request) (s browserSession) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		p.mu.Lock()
		s = p.sessions[cookie.Value]
		delete(p.sessions, cookie.Value)
		p.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: p.prefix + "/", MaxAge: -1, HttpOnly: true})
	return s
}
