package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

const (
	// leaveTimeout bounds how long a provider may keep somebody who signs out waiting.
	leaveTimeout = 3 * time.Second
	// lookTimeout bounds how long a page waits to learn where its form may lead.
	lookTimeout = time.Second
	// leaveLife is how long a provider may take to lead a person back.
	leaveLife = 15 * time.Minute
	// leaveLabel separates the seals of leaves from all others made with the same key.
	leaveLabel = "sign-out v1"
)

// leave is what a browser keeps while it is at the provider to sign out there.
type leave struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Begun    time.Time `json:"t"`
}

// endAtProvider has the provider end what the session was made of: it revokes the
// tokens, and returns where the browser goes to sign out there, or "". The session here
// has ended already, so nothing of this may fail: it is tried, and told to the log.
func (h *Handler) endAtProvider(w http.ResponseWriter, r *http.Request, rec *session.Record) string {
	p := h.providerOf(rec.Identity)
	if p == nil {
		return ""
	}
	// A browser that goes away has signed out all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), leaveTimeout)
	defer cancel()
	about := []any{"provider", p.ID, "sub", rec.Identity.Subject}
	h.log(ctx, slog.LevelInfo, w, "signed out", about...)
	if err := revoke(ctx, p, rec); err != nil {
		h.log(ctx, levelOf(err), w, "the tokens of a session that has ended were not revoked", append(about, "error", err)...)
	}
	l := leave{Provider: p.ID, State: rand.Text(), Begun: h.Now().UTC().Truncate(time.Second)}
	away, err := p.EndSessionURL(ctx, rec.IDToken, h.destination(h.link("sign-out")), l.State)
	if err == nil {
		err = h.keepLeave(w, l)
	}
	if err != nil {
		h.log(ctx, levelOf(err), w, "signed out here alone and not at the provider", append(about, "error", err)...)
		return ""
	}
	return away
}

// levelOf a failure: that a provider cannot do it is no news.
func levelOf(err error) slog.Level {
	if errors.Is(err, provider.ErrNoEndpoint) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// revoke ends the refresh token, and with it what else was granted (RFC 7009 section
// 2.1), or the access token where there is nothing else.
func revoke(ctx context.Context, p *provider.Provider, rec *session.Record) error {
	switch {
	case rec.RefreshToken != "":
		return p.Revoke(ctx, rec.RefreshToken, "refresh_token")
	case rec.AccessToken != "":
		return p.Revoke(ctx, rec.AccessToken, "access_token")
	}
	return nil
}

// providerOf is the provider that an identity is from, nil if it is not configured any
// more.
func (h *Handler) providerOf(id *session.Identity) *provider.Provider {
	for _, p := range h.Providers {
		if p.ID == id.Provider && p.Issuer == id.Issuer && p.Client.ID == id.ClientID {
			return p
		}
	}
	return nil
}

// signOutOrigins are where the button for signing out leads in the end: browsers hold a
// form's redirects against the page's form-action. The way back from the provider is to
// public_url's host, from whichever host it began.
func (h *Handler) signOutOrigins(r *http.Request, id *session.Identity) []string {
	p := h.providerOf(id)
	if p == nil {
		return nil
	}
	var back []string
	if hostOf(r) != h.host {
		back = []string{h.origin}
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookTimeout)
	defer cancel()
	md, err := p.Metadata(ctx)
	switch {
	case err != nil:
		return append(back, p.Issuer) // it may be back when the button is pressed
	case md.EndSessionEndpoint == "":
		return nil
	}
	return append(back, md.EndSessionEndpoint, p.Issuer)
}

// leaveCookie is the name of the cookie of a leave. There is one: of two tabs that sign
// out, one is told less.
func (h *Handler) leaveCookie() string { return h.Cookies.AttemptPrefix + "out" }

func (h *Handler) keepLeave(w http.ResponseWriter, l leave) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	name := h.leaveCookie()
	http.SetCookie(w, h.cookie(name, h.Sealer.SealText(leaveLabel, data, []byte(name)), int(leaveLife/time.Second)))
	return nil
}

// backFrom returns the name of the provider that a browser comes back from, after it
// left to sign out there and with the state that it left with (OpenID Connect
// RP-Initiated Logout section 3). Any other state, or none, means that somebody else
// sent it here. Nothing but a sentence depends on it.
func (h *Handler) backFrom(w http.ResponseWriter, r *http.Request) string {
	states := r.URL.Query()["state"]
	if r.Method != http.MethodGet || len(states) != 1 {
		return ""
	}
	for _, c := range r.CookiesNamed(h.leaveCookie()) {
		data, err := h.Sealer.OpenText(leaveLabel, c.Value, []byte(c.Name))
		if err != nil {
			continue
		}
		var l leave
		if json.Unmarshal(data, &l) != nil || subtle.ConstantTimeCompare([]byte(l.State), []byte(states[0])) != 1 {
			continue
		}
		if age := h.Now().Sub(l.Begun); age < -time.Minute || age >= leaveLife {
			continue
		}
		h.forget(w, c.Name)
		return h.providerName(l.Provider)
	}
	return ""
}
