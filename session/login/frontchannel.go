package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// frontchannelLogout ends the sessions of one login because a page of its provider
// shows this one in a frame (OpenID Connect Front-Channel Logout section 2).
//
// Browsers keep a Lax cookie to themselves in a frame of another site, so most requests
// come without one, and nothing but the sid proves that they are meant: a name that the
// provider has told this client and the browser's own session at the provider alone.
// Hence iss and sid are needed, and nothing else than that login's sessions here ends:
// no token is revoked. Where the cookie does come it must be of that login.
func (h *Handler) frontchannelLogout(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	sid, err := readFrontchannel(r.URL.RawQuery, p)
	if err != nil {
		h.log(r.Context(), slog.LevelWarn, w, "a provider's sign-out in a frame was refused", "provider", p.ID, "error", err)
		h.Answers.Framed(w, r, http.StatusBadRequest, "Nothing was ended", h.frameOrigins(r.Context(), p))
		return
	}
	ended, err := h.endFramed(w, r, p, sid)
	if err != nil {
		u := &session.Unavailable{}
		errors.As(err, &u)
		h.log(r.Context(), slog.LevelWarn, w, "a provider's sign-out in a frame is not possible right now", "provider", p.ID, "error", err)
		w.Header().Set("Retry-After", strconv.Itoa(u.Seconds()))
		h.Answers.Framed(w, r, http.StatusServiceUnavailable, "Not possible right now", h.frameOrigins(r.Context(), p))
		return
	}
	h.log(r.Context(), slog.LevelInfo, w, "signed out by the provider in a frame", "provider", p.ID, "sessions", ended)
	if ended == 0 && h.Remote == nil {
		// There may be some, in a cookie that browsers do not send from a frame.
		h.Answers.Framed(w, r, http.StatusOK, "Nothing was ended here", h.frameOrigins(r.Context(), p))
		return
	}
	h.Answers.Framed(w, r, http.StatusOK, "Signed out", h.frameOrigins(r.Context(), p))
}

// endFramed ends the sessions of a login, and returns how many those were.
func (h *Handler) endFramed(w http.ResponseWriter, r *http.Request, p *provider.Provider, sid string) (int, error) {
	n := 0
	id, err := h.Sessions.Identify(r)
	switch {
	case err == nil:
		if own, _ := id.Claims.String("sid"); id.Issuer != p.Issuer || own != sid {
			return 0, nil // this browser is signed in by another login
		}
		if err := h.Sessions.End(w, r); err != nil {
			return 0, err
		}
		n++
	case unknown(err):
		return 0, err
	}
	if h.Remote == nil {
		return n, nil
	}
	ended, err := h.Remote.EndLogin(r.Context(), p.Issuer, sid, "")
	h.forgetTokens(ended)
	return n + len(ended), err
}

// readFrontchannel wants iss, which is the provider, and sid, each once.
func readFrontchannel(query string, p *provider.Provider) (sid string, err error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("query is malformed")
	}
	for _, name := range []string{"iss", "sid"} {
		if values := q[name]; len(values) != 1 || values[0] == "" || len(values[0]) > maxParameter {
			return "", fmt.Errorf("expected %s once", name)
		}
	}
	if q.Get("iss") != p.Issuer {
		return "", fmt.Errorf("iss: expected %q, got another", p.Issuer)
	}
	return q.Get("sid"), nil
}

// frameOrigins are whose pages may show the answer in a frame: the provider's.
func (h *Handler) frameOrigins(ctx context.Context, p *provider.Provider) []string {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	origins := []string{p.Issuer}
	if md, err := p.Metadata(ctx); err == nil && md.EndSessionEndpoint != "" {
		origins = append(origins, md.EndSessionEndpoint)
	}
	return origins
}
