package login

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// attemptLife is how long a person may take to sign in.
	attemptLife = 15 * time.Minute
	// maxAttempts bounds the attempt cookies that a browser keeps; the oldest go
	// first. Each is at most a few kilobytes, and header lines are bounded.
	maxAttempts = 5
	// attemptLabel separates these seals from all others made with the same key.
	attemptLabel = "login attempt v1"
)

// attempt is what must be remembered between leaving for the provider and coming
// back.
type attempt struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	ReturnTo string    `json:"r"`
	Begun    time.Time `json:"t"`
}

var errAttempt = errors.New("attempt")

// newAttempt makes an attempt whose state, nonce and verifier have at least 128
// random bits each (RFC 6819 section 5.1.4.2.2).
func newAttempt(providerID, returnTo string, now time.Time) attempt {
	return attempt{
		Provider: providerID, State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(),
		ReturnTo: returnTo, Begun: now.UTC().Truncate(time.Second),
	}
}

// cookieOf names the cookie of the attempt that a state belongs to. It has a hash
// of the state, so that the name does not give the state away.
func (h *Handler) cookieOf(state string) string {
	sum := sha256.Sum256([]byte(state))
	return h.Cookies.AttemptPrefix + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// remember sets the attempt's cookie and lets stale ones go.
func (h *Handler) remember(w http.ResponseWriter, r *http.Request, a attempt) error {
	h.tidy(w, r)
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	name := h.cookieOf(a.State)
	box := h.Sealer.SealText(attemptLabel, data, []byte(name))
	http.SetCookie(w, h.cookie(name, box, int(attemptLife/time.Second)))
	return nil
}

// recall finds the attempt that a callback's state belongs to, in the cookie that
// the same browser was given.
func (h *Handler) recall(r *http.Request, providerID, state string) (attempt, error) {
	name := h.cookieOf(state)
	for _, c := range r.CookiesNamed(name) {
		a, err := h.open(c)
		if err != nil || subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 || a.Provider != providerID {
			continue
		}
		if h.over(a) {
			return attempt{}, errors.New("it took longer than " + attemptLife.String())
		}
		return a, nil
	}
	return attempt{}, errAttempt
}

func (h *Handler) open(c *http.Cookie) (attempt, error) {
	data, err := h.Sealer.OpenText(attemptLabel, c.Value, []byte(c.Name))
	if err != nil {
		return attempt{}, err
	}
	var a attempt
	return a, json.Unmarshal(data, &a)
}

func (h *Handler) over(a attempt) bool {
	age := h.Now().Sub(a.Begun)
	return age >= attemptLife || age < -time.Minute
}

// forget removes an attempt's cookie: an attempt is good for one callback.
func (h *Handler) forget(w http.ResponseWriter, name string) {
	http.SetCookie(w, h.cookie(name, "", -1))
}

// tidy removes attempts that are over or unreadable, and the oldest when there
// are too many.
func (h *Handler) tidy(w http.ResponseWriter, r *http.Request) {
	type kept struct {
		name  string
		begun time.Time
	}
	var live []kept
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, h.Cookies.AttemptPrefix) {
			continue
		}
		if a, err := h.open(c); err == nil && !h.over(a) {
			live = append(live, kept{c.Name, a.Begun})
			continue
		}
		h.forget(w, c.Name)
	}
	for len(live) >= maxAttempts {
		oldest := 0
		for i := range live {
			if live[i].begun.Before(live[oldest].begun) {
				oldest = i
			}
		}
		h.forget(w, live[oldest].name)
		live = append(live[:oldest], live[oldest+1:]...)
	}
}

// cookie is an attempt's cookie. It is Lax whatever the session's cookie is: the
// provider's redirect back is a navigation from another site.
func (h *Handler) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: h.Cookies.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
