package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

const (
	// maxLogoutRequest bounds the body of a logout request.
	maxLogoutRequest = 64 << 10
	// maxLogoutChecks is how many logout tokens are checked at once: anybody can send
	// some. A provider waits for its turn, for logoutPatience.
	maxLogoutChecks = 16
	logoutPatience  = 5 * time.Second
)

// backchannelLogout ends sessions because their provider says so (OpenID Connect
// Back-Channel Logout section 2.5). It is a provider that calls, and no browser: there is
// no cookie, and what counts is the token.
func (h *Handler) backchannelLogout(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	ended, subject, err := h.endByToken(w, r, p)
	var u *session.Unavailable
	switch {
	case errors.As(err, &u):
		h.log(r.Context(), slog.LevelWarn, w, "a provider's sign-out is not possible right now", "provider", p.ID, "reason", string(u.Reason), "error", err)
		w.Header().Set("Retry-After", strconv.Itoa(u.Seconds()))
		h.Answers.JSON(w, r, http.StatusServiceUnavailable, oauthError{"temporarily_unavailable", "Please try again in a moment."})
	case errors.Is(err, errNotRemote):
		h.log(r.Context(), slog.LevelWarn, w, "a provider's sign-out did not end any session: they are in browsers alone", "provider", p.ID, "sub", subject)
		h.Answers.JSON(w, r, http.StatusBadRequest, oauthError{"unsupported", "Sessions are kept in browsers here, and cannot be ended from elsewhere."})
	case err != nil:
		h.log(r.Context(), slog.LevelWarn, w, "a provider's sign-out was refused", "provider", p.ID, "error", err)
		h.Answers.JSON(w, r, http.StatusBadRequest, oauthError{"invalid_request", "The logout token is not one that is accepted here."})
	default:
		h.log(r.Context(), slog.LevelInfo, w, "signed out by the provider", "provider", p.ID, "sub", subject, "sessions", len(ended))
		h.Answers.Empty(w, http.StatusOK)
	}
}

// errNotRemote says that sessions cannot be ended without their cookies. Then the logout
// has failed, which is 400 (Back-Channel Logout section 2.8).
var errNotRemote = errors.New("the session store cannot end sessions from elsewhere")

// oauthError is the body of a refusal (Back-Channel Logout section 2.8).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// endByToken checks a logout request and does what it says. That nothing matched is fine:
// the sessions may have ended before.
func (h *Handler) endByToken(w http.ResponseWriter, r *http.Request, p *provider.Provider) (ended []session.Summary, subject string, err error) {
	raw, err := logoutTokenOf(w, r)
	if err != nil {
		return nil, "", err
	}
	t, err := h.checkLogoutToken(r.Context(), p, raw)
	if err != nil {
		return nil, "", err
	}
	if h.Remote == nil {
		h.forgetTokens([]session.Summary{{Issuer: p.Issuer, Subject: t.Subject}})
		return nil, t.Subject, errNotRemote
	}
	name := logoutName(p.Issuer, t.ID)
	switch used, err := h.Remote.Used(r.Context(), name); {
	case err != nil:
		return nil, "", err
	case used:
		return nil, "", errors.New("its jti was used before")
	}
	if t.SID != "" {
		ended, err = h.Remote.EndLogin(r.Context(), p.Issuer, t.SID, t.Subject)
	} else {
		ended, err = h.Remote.EndAll(r.Context(), p.Issuer, t.Subject)
	}
	h.forgetTokens(append(ended, session.Summary{Issuer: p.Issuer, Subject: t.Subject}))
	if err != nil {
		return nil, "", storeFailed("Sessions cannot be ended right now.", err)
	}
	// It is used up when it is done, so that one that could not be done is tried again. Two
	// at the same moment end the same sessions.
	if err := h.Remote.Once(r.Context(), name, t.Until); err != nil && !errors.Is(err, session.ErrExists) {
		return nil, "", err
	}
	return ended, t.Subject, nil
}

// logoutName is what a logout token's id is remembered by where sessions are kept: a reload,
// a restart and another replica forget nothing. An id is only one at its issuer, and no
// issuer has the separator.
func logoutName(issuer, id string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + id))
	return "logout " + hex.EncodeToString(sum[:])
}

// checkLogoutToken checks a token when it is its turn.
func (h *Handler) checkLogoutToken(ctx context.Context, p *provider.Provider, raw string) (*provider.LogoutToken, error) {
	ctx, cancel := context.WithTimeout(ctx, logoutPatience)
	defer cancel()
	select {
	case h.logoutChecks <- struct{}{}:
		defer func() { <-h.logoutChecks }()
		return p.VerifyLogoutToken(ctx, raw)
	case <-ctx.Done():
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Sentence: "Too many sign-outs at once.", Cause: ctx.Err()}
	}
}

// logoutTokenOf reads the form of a logout request. Other parameters are passed over
// (section 2.5).
func logoutTokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return "", errors.New("expected the content type application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutRequest)
	if err := r.ParseForm(); err != nil {
		return "", errors.New("the form cannot be read, or is too long")
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 || tokens[0] == "" {
		return "", errors.New("expected one logout_token")
	}
	return tokens[0], nil
}
