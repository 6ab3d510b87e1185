package login

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// attemptLife is how long a person may take to sign in.
	attemptLife = 15 * time.Minute
	// maxAttempts bounds the attempt cookies that a browser keeps, and
	// maxAttemptBytes their size; the oldest go first. All cookies of a site travel
	// in one header line, and many servers refuse one beyond 8 KiB: a page that
	// opens sign-in after sign-in must not lock anybody out.
	maxAttempts     = 5
	maxAttemptBytes = 6 << 10
	// maxForgotten bounds the cookies that one response deletes; the next response
	// deletes more. Servers in front have a limit for response headers, too.
	maxForgotten = 16
	// attemptLabel separates these seals from all others made with the same key.
	attemptLabel = "login attempt v1"
)

// attempt is what must be remembered between leaving for the provider and coming
// back; or between leaving another host for public_url's and coming back, where there
// is no provider, State is the attempt's public half and Verifier its secret one.
type attempt struct {
	Provider string `json:"p"`
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	// Origin is that of the host that ReturnTo is on, unless it is public_url's, and
	// Challenge what leads there is sealed for, see way.
	Origin    string    `json:"o,omitempty"`
	Challenge string    `json:"c,omitempty"`
	Silent    bool      `json:"q,omitempty"`
	Begun     time.Time `json:"t"`
	demand
}

// Why there is no attempt for a callback.
var (
	errNoAttempt   = errors.New("no cookie of an attempt fits state")
	errAttemptOver = errors.New("the attempt took longer than " + attemptLife.String())
)

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
	name := h.cookieOf(a.State)
	box, err := h.seal(name, a)
	if err != nil {
		return err
	}
	h.tidy(w, r, len(name)+len(box))
	// Name and value are of base64url, so that there is nothing for net/http to look at.
	w.Header().Add("Set-Cookie", name+"="+box+h.attemptFields)
	return nil
}

// seal makes the value of an attempt's cookie. With the longest place to return to
// it is still below the 4096 bytes beyond which browsers drop a cookie, because
// "&" stays one byte (RFC 6265 section 6.1).
func (h *Handler) seal(name string, a attempt) (string, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return "", err
	}
	return h.Sealer.SealText(attemptLabel, plain.Bytes(), []byte(name)), nil
}

// recall finds the attempt that a callback's state belongs to, in the cookie that
// the same browser was given. The cookie of an attempt at another provider is none:
// an answer must come to the callback of the provider that was asked (RFC 9700
// section 4.4.2).
func (h *Handler) recall(r *http.Request, providerID, state string) (attempt, error) {
	name := h.cookieOf(state)
	for _, c := range r.CookiesNamed(name) {
		a, err := h.open(c)
		if err != nil || subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 || a.Provider != providerID {
			continue
		}
		if h.over(a) {
			return attempt{}, errAttemptOver
		}
		// The rules for places may have become stricter since: an update, a changed
		// public_url.
		to := h.checked(a.way())
		a.Origin, a.ReturnTo, a.Challenge = to.origin, to.path, to.challenge
		return a, nil
	}
	return attempt{}, errNoAttempt
}

// way is where the attempt leads.
func (a attempt) way() way { return way{origin: a.Origin, path: a.ReturnTo, challenge: a.Challenge} }

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

// kept is an attempt that a browser still has the cookie of.
type kept struct {
	name  string
	size  int
	begun time.Time
}

// tidy removes attempts that are over or unreadable, and the oldest while there is
// no room for one more of that size.
func (h *Handler) tidy(w http.ResponseWriter, r *http.Request, size int) {
	live, stale := h.attempts(r)
	slices.SortStableFunc(live, func(a, b kept) int { return a.begun.Compare(b.begun) })
	for _, k := range live {
		size += k.size
	}
	for len(live) >= maxAttempts || size > maxAttemptBytes && len(live) > 0 {
		stale, size, live = append(stale, live[0].name), size-live[0].size, live[1:]
	}
	for _, name := range stale[:min(len(stale), maxForgotten)] {
		h.forget(w, name)
	}
}

// attempts sorts the attempt cookies of a request into those that are still good
// and the names of the others, each name once.
func (h *Handler) attempts(r *http.Request) (live []kept, stale []string) {
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, h.Cookies.AttemptPrefix) {
			continue
		}
		if a, err := h.open(c); err == nil && !h.over(a) {
			live = append(live, kept{c.Name, len(c.Name) + len(c.Value), a.Begun})
		} else if !slices.Contains(stale, c.Name) {
			stale = append(stale, c.Name)
		}
	}
	return live, stale
}

// cookie is an attempt's cookie. It is Lax whatever the session's cookie is: the
// provider's redirect back is a navigation from another site.
func (h *Handler) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: h.Cookies.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
