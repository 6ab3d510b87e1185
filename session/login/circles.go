package login

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// A browser that loses its cookies goes round in circles between claimproxy and the
// provider, and its person sees a page that loads for ever. Here such circles are
// recognised, and the log says once what is behind them, as far as the last request of
// the circle tells.

const (
	// circleAfter is how many times within circleWithin are a circle: the same browser is
	// signed in as the same person and comes again as nobody, or comes back without its
	// attempt. Several people behind one address are not the same person.
	circleAfter  = 3
	circleWithin = time.Minute
	// circleQuiet is how long nothing more is said about a browser.
	circleQuiet = 10 * time.Minute
	// maxTrails bounds the browsers that are remembered.
	maxTrails = 1024
	// trailSample is of how many the one is dropped that was seen the longest ago.
	trailSample = 8
)

// Circles remembers who was here lately. Handlers that follow one another share it, so that
// a new configuration forgets nobody. The zero value has seen nobody.
type Circles struct {
	mu     sync.Mutex
	trails map[[sha256.Size]byte]*trail
}

// trail is when a browser was here, the last time last.
type trail struct {
	times [circleAfter]time.Time
	told  time.Time
}

// round notes that somebody was here, and says whether that makes a circle of which
// nothing has been said yet.
func (c *Circles) round(now time.Time, who ...string) bool {
	key := sha256.Sum256([]byte(strings.Join(who, "\x00")))
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trails[key]
	if t == nil {
		if c.trails == nil {
			c.trails = make(map[[sha256.Size]byte]*trail)
		}
		if len(c.trails) >= maxTrails {
			c.drop()
		}
		t = new(trail)
		c.trails[key] = t
	}
	copy(t.times[:], t.times[1:])
	t.times[circleAfter-1] = now
	first := t.times[0]
	if first.IsZero() || now.Sub(first) > circleWithin || !t.told.IsZero() && now.Sub(t.told) < circleQuiet {
		return false
	}
	t.told = now
	return true
}

// drop makes room for one more.
func (c *Circles) drop() {
	var oldest [sha256.Size]byte
	var at time.Time
	n := 0
	for key, t := range c.trails {
		if last := t.times[circleAfter-1]; n == 0 || last.Before(at) {
			oldest, at = key, last
		}
		if n++; n == trailSample {
			break
		}
	}
	delete(c.trails, oldest)
}

// cameBackUnknown notes a callback whose attempt is not known.
func (h *Handler) cameBackUnknown(w http.ResponseWriter, r *http.Request, providerID, state string, err error) {
	if !errors.Is(err, errNoAttempt) && !errors.Is(err, errAttemptOver) || !h.Circles.round(h.Now(), "lost", addressOf(r), r.UserAgent()) {
		return
	}
	name := h.cookieOf(state)
	var because, look string
	switch {
	case errors.Is(err, errAttemptOver):
		because = "it comes back later than " + attemptLife.String() + " after it left, by the clocks here"
		look = "whether the clock of this machine jumps, and whether those of all replicas agree"
	case len(r.CookiesNamed(name)) > 0:
		because = "the cookie that it left with cannot be opened here"
		look = "whether several processes answer that do not have the same session.secrets or the same state_dir"
	case len(r.Cookies()) == 0:
		because = "it comes back without any cookie"
		look = "whether the browser takes cookies of this site, and whether the proxy in front passes Set-Cookie and Cookie on" + h.overHTTPS()
	default:
		because = "it has other cookies of this host, and not the one that it left with"
		look = "whether the proxy in front passes on every Set-Cookie line of an answer, and whether another sign-in is begun meanwhile, as by a page that loads many at once" + h.overHTTPS()
	}
	h.tellCircle(w, r, because, look, "provider", providerID)
}

// signedInAgain notes that somebody is signed in who may have been a moment ago.
func (h *Handler) signedInAgain(w http.ResponseWriter, r *http.Request, rec *session.Record, d demand) {
	id := rec.Identity
	if !d.none() || !h.Circles.round(h.Now(), "again", addressOf(r), r.UserAgent(), id.Issuer, id.Subject) {
		return
	}
	var because, look string
	_, err := h.Sessions.Identify(r)
	var rejected *session.Rejected
	switch {
	case err == nil:
		because = "it is signed in each time, has the session cookie and is sent here all the same"
		look = "who sends it: an application with sign-in links of its own, or a proxy in front that asks claimproxy without passing Cookie on"
	case unknown(err):
		return // the store is down, which says enough itself
	case errors.As(err, &rejected) && rejected.Reason == session.ReasonSessionExpired:
		because = "the session cookie that it comes back with is over already"
		look = "whether the clock of this machine jumps, whether those of all replicas agree, and session.idle and session.lifetime"
	case h.hasSessionCookie(r):
		because = "the session cookie that it comes back with is not known here"
		look = "whether several processes answer that do not keep sessions together (session.store: redis) or have other session.secrets, and whether another application sets a cookie of the same name"
	default:
		because = "the session cookie that it is given does not come back"
		look = "whether public_url is the address in the browser, and whether the proxy in front passes Set-Cookie and Cookie on" + h.overHTTPS()
	}
	h.tellCircle(w, r, because, look, "provider", id.Provider, "sub", id.Subject)
}

// ledBackAgain notes that somebody who is signed in is led back to another host, where
// they were nobody.
func (h *Handler) ledBackAgain(w http.ResponseWriter, r *http.Request, id *session.Identity, origin string) {
	if !h.Circles.round(h.Now(), "host", addressOf(r), r.UserAgent(), id.Issuer, id.Subject, origin) {
		return
	}
	h.tellCircle(w, r, "it is signed in on public_url's host, and each time comes back from "+origin+" as nobody",
		"whether the proxy in front of that host passes Set-Cookie and Cookie on, and leads all of "+h.Endpoints+"/ here"+h.overHTTPS(), "provider", id.Provider, "sub", id.Subject)
}

func (h *Handler) tellCircle(w http.ResponseWriter, r *http.Request, because, look string, about ...any) {
	h.log(r.Context(), slog.LevelWarn, w, "a browser goes round in circles", append([]any{
		"because", because, "look_at", look, "times", circleAfter, "within", circleWithin.String(), "client_ip", addressOf(r)}, about...)...)
}

// overHTTPS is what is to be looked at where cookies are for https alone.
func (h *Handler) overHTTPS() string {
	if !h.Cookies.Secure {
		return ""
	}
	return ", and whether people come by https: browsers keep these cookies over https alone"
}

// hasSessionCookie reports whether a request has one of that name, good or not.
func (h *Handler) hasSessionCookie(r *http.Request) bool {
	name, _ := h.Cookies.On(r.Host)
	for _, c := range r.Cookies() {
		// Where sessions are in cookies, further parts have a number behind the name.
		if strings.HasPrefix(c.Name, name) && !strings.HasPrefix(c.Name, h.Cookies.AttemptPrefix) {
			return true
		}
	}
	return false
}
