package login

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// Sessions begins and ends browser sessions. *session.Store is one.
type Sessions interface {
	// Identify says who the request's session cookie belongs to.
	Identify(r *http.Request) (*session.Identity, error)
	// Start begins a session under a new id and sets its cookie.
	Start(w http.ResponseWriter, r *http.Request, rec *session.Record) error
	// End ends the request's session, so that a copy of its cookie is dead too.
	End(w http.ResponseWriter, r *http.Request) error
	// Record returns the request's session with the tokens that it was made of.
	Record(r *http.Request) (*session.Record, error)
}

// Config is what a Handler needs.
type Config struct {
	// Providers are those people can sign in at, in the order of the file. One
	// without a client id of its own is for bearer tokens alone and gets no button.
	Providers []*provider.Provider
	// Sessions begins and ends sessions.
	Sessions Sessions
	// Handover carries sessions to other hosts than public_url's; nil carries none.
	Handover Handover
	// Origin maps a host that a route names, without port, to its origin, and every
	// other one to "". Nobody is led anywhere else; nil names no host.
	Origin func(host string) string
	// Parking keeps forms that were sent with a session that was over; nil keeps none.
	Parking Parking
	// Remote lists and ends sessions from elsewhere; nil where the store keeps none, and
	// then nobody's other sessions are shown and providers end none.
	Remote Remote
	// Tokens is told when a provider has signed somebody out; nil if nobody cares.
	Tokens Tokens
	// Sealer seals the cookie of an attempt.
	Sealer *session.Sealer
	// Cookies names the attempt cookies and gives their attributes.
	Cookies session.CookieNames
	// Answers shows pages.
	Answers *answer.Answers
	// PublicURL is the origin where people sign in.
	PublicURL *url.URL
	// Endpoints is the path that the pages live under, such as /.auth.
	Endpoints string
	// CallbackPaths maps a configured callback_path to its provider's id.
	CallbackPaths map[string]string
	// StrictCookie says that the session cookie is SameSite=Strict. Browsers do not
	// send such a cookie along a redirect that another site began, so signing in
	// ends on a page that goes on by itself instead of in a redirect.
	StrictCookie bool
	// Observer is told of people who sign in; nil: nobody is.
	Observer Observer
	// Circles is who was here before this handler was made; nil: nobody.
	Circles *Circles
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what went wrong with attempts; nil discards it.
	Log *slog.Logger
}

// Handler serves the pages. It is safe for concurrent use.
type Handler struct {
	Config
	// origin is PublicURL's scheme and host as browsers write them, host the host
	// without port.
	origin, host string
	crossOrigin  *http.CrossOriginProtection
	// logoutChecks has room for the logout tokens that are checked at once.
	logoutChecks chan struct{}
	// attemptFields is what follows the value of an attempt's cookie.
	attemptFields string
}

// The reason words that are not about credentials.
const (
	reasonNoRoute    = "no-route"
	reasonMethod     = "method"
	reasonBadTarget  = "bad-target"
	reasonNotAllowed = "not-allowed"
	reasonTooLarge   = "too-large"
)

// New makes a handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Circles == nil {
		c.Circles = new(Circles)
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	c.Providers = slices.DeleteFunc(slices.Clone(c.Providers), func(p *provider.Provider) bool { return p.Client.ID == "" })
	h := &Handler{
		Config: c, origin: originOf(c.PublicURL), host: strings.ToLower(c.PublicURL.Hostname()),
		crossOrigin: http.NewCrossOriginProtection(), logoutChecks: make(chan struct{}, maxLogoutChecks),
	}
	h.attemptFields = strings.TrimPrefix(h.cookie("x", "x", int(attemptLife/time.Second)).String(), "x=x")
	return h
}

// originOf writes a URL's origin as browsers do: in lower case, without the port
// that the scheme has anyway (RFC 6454 section 6.2).
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return u.Scheme + "://" + host
}

// ServeHTTP serves the pages below Endpoints and the configured callback paths.
// The caller has made the path canonical and set the response's X-Request-Id.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, rest := h.page(r.URL.Path)
	switch page {
	case "sign-in":
		h.only(w, r, h.signIn, http.MethodGet, http.MethodHead)
	case "start":
		h.only(w, r, h.withProvider(rest, h.start), http.MethodGet)
	case "callback":
		h.only(w, r, h.withProvider(rest, h.callback), http.MethodGet)
	case "accept":
		h.only(w, r, h.accept, http.MethodGet)
	case "sign-out":
		h.only(w, r, h.signOut, http.MethodGet, http.MethodHead, http.MethodPost)
	case "me":
		h.only(w, r, h.me, http.MethodGet, http.MethodHead)
	case resendPage:
		h.only(w, r, h.resend, http.MethodGet, http.MethodHead)
	case "sessions/end":
		h.only(w, r, h.endSessions, http.MethodPost)
	case "backchannel-logout":
		h.only(w, r, h.withProvider(rest, h.backchannelLogout), http.MethodPost)
	case "frontchannel-logout":
		h.only(w, r, h.withProvider(rest, h.frontchannelLogout), http.MethodGet)
	default:
		h.notFound(w, r)
	}
}

// Step is a step of signing in that costs somebody else something.
type Step uint8

const (
	// NoStep is any other page.
	NoStep Step = iota
	// StepStart begins an attempt: its cookie is sealed.
	StepStart
	// StepReturn comes back from a provider, which is asked about it.
	StepReturn
)

// StepOf says which step the page at a path is.
func (h *Handler) StepOf(path string) Step {
	switch page, _ := h.page(path); page {
	case "start":
		return StepStart
	case "callback":
		return StepReturn
	}
	return NoStep
}

// takesProvider are the pages whose name a provider's id follows.
var takesProvider = map[string]bool{"start": true, "callback": true, "backchannel-logout": true, "frontchannel-logout": true}

// page splits a path into the page's name and what follows it.
func (h *Handler) page(path string) (name, rest string) {
	if id, ok := h.CallbackPaths[path]; ok {
		return "callback", id
	}
	below, ok := strings.CutPrefix(path, h.Endpoints+"/")
	if !ok {
		return "", ""
	}
	if below == "sessions/end" {
		return below, ""
	}
	name, rest, more := strings.Cut(below, "/")
	if takesProvider[name] != more || strings.Contains(rest, "/") {
		return "", ""
	}
	return name, rest
}

// only serves a page to the methods it has (RFC 9110 section 15.5.6).
func (h *Handler) only(w http.ResponseWriter, r *http.Request, page http.HandlerFunc, methods ...string) {
	for _, m := range methods {
		if r.Method == m {
			page(w, r)
			return
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	h.Answers.Refuse(w, r, http.StatusMethodNotAllowed,
		answer.Problem{Code: reasonMethod, Detail: "This page takes " + strings.Join(methods, ", ") + " only."},
		answer.Content{Title: "Method not allowed", Text: []string{"This page cannot be used in this way."}})
}

func (h *Handler) withProvider(id string, page func(http.ResponseWriter, *http.Request, *provider.Provider)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, p := range h.Providers {
			if p.ID == id {
				page(w, r, p)
				return
			}
		}
		h.notFound(w, r)
	}
}

func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	h.Answers.Refuse(w, r, http.StatusNotFound,
		answer.Problem{Code: reasonNoRoute, Detail: "There is no such page."},
		answer.Content{Title: "Not found", Text: []string{"There is no such page."}})
}

// hostOf is the request's host without port.
func hostOf(r *http.Request) string {
	u := url.URL{Host: r.Host}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// link is the URL of one of the handler's own pages, with query parameters given
// as pairs.
func (h *Handler) link(page string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	link := h.Endpoints + "/" + page
	if len(q) > 0 {
		link += "?" + q.Encode()
	}
	return link
}

// log writes about an attempt, with the request's id.
func (h *Handler) log(ctx context.Context, level slog.Level, w http.ResponseWriter, msg string, args ...any) {
	h.Log.Log(ctx, level, msg, append(args, "request_id", w.Header().Get("X-Request-Id"))...)
}
