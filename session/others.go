package session

import (
	"net/http"
	"time"
)

// What a store that keeps sessions elsewhere, such as package stateless, has in common
// with Store: the form of a record, the cookie, and what is said about a session that
// is over.

// EncodeRecord returns the form of a record that is sealed. It has tokens in it and
// leaves the process sealed or not at all.
func EncodeRecord(r *Record) ([]byte, error) { return encodeRecord(r) }

// DecodeRecord reads what EncodeRecord returned. It refuses a record that identifies
// nobody, and one of another format.
func DecodeRecord(data []byte) (*Record, error) { return decodeRecord(data) }

// SamePerson compares who two identities are, not what is known about them.
func SamePerson(a, b *Identity) bool { return a.samePerson(b) }

// Over says whether a session is over at now, and how: it has reached its end, or was
// last used, at seen, as long ago as idle. It returns nil or a *Rejected.
func Over(now, ends, seen time.Time, idle time.Duration) error {
	switch {
	case !now.Before(ends):
		return Reject(ReasonSessionExpired, "Your session has reached its end. Please sign in again.", nil)
	case now.Sub(seen) >= idle:
		return Reject(ReasonSessionExpired, "Your session has ended because it was not used for a while. Please sign in again.", nil)
	}
	return nil
}

// Ended is the outcome for a session that was ended.
func Ended() *Rejected {
	return Reject(ReasonSessionEnded, "Your session has ended. Please sign in again.", nil)
}

// Graver returns the outcome that says more about a request with several cookies: that
// it cannot be known, that a session has expired, that one has ended, that there is
// none.
func Graver(a, b error) error { return graver(a, b) }

// SetCookie adds c to a response in place of an earlier cookie of its name (RFC 6265
// section 4.1.1 allows one of a name).
func SetCookie(h http.Header, c *http.Cookie) {
	lines := h["Set-Cookie"]
	kept := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		if cookieName(line) != c.Name {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, c.String())
}

// Cookie returns a cookie with the attributes that all of them have: it is for exactly
// this host, and no script reads it. An age below zero deletes it.
func (n CookieNames) Cookie(name, value string, maxAge int, sameSite http.SameSite) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: n.Secure, HttpOnly: true, SameSite: sameSite,
	}
	if maxAge < 0 {
		c.Expires = time.Unix(1, 0) // for what does not know Max-Age
	}
	return c
}

// TooLarge says that a session does not fit where it is to be kept.
type TooLarge struct {
	// Size is that of the session and Most what fits, in bytes.
	Size, Most int
	// Parts are the sizes of what is in it, by the names of the claims, and of the
	// access token. They are for the log.
	Parts map[string]int
}

func (e *TooLarge) Error() string { return "the session is too large to be kept" }
