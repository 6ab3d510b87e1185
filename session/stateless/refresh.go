package stateless

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Refresh adds to the header of an answer what keeps the session that its request
// carries going, where that is due: the cookies with the time of its last use, with
// claims that were fetched again, or sealed with the secret that seals now. It deletes
// cookies that are of no use to the session.
//
// It is for answers to people who open a page, that no cache keeps for others. A session
// that is over, perhaps since its request came, is not brought back.
func (s *Store) Refresh(h http.Header, r *http.Request) {
	var from carried
	from.read(r.Header["Cookie"], s.placeOf(r), s.sealer)
	now := s.now()
	for _, first := range from.firsts() {
		e, err := s.opened(r.Context(), first, &from)
		if err != nil || s.judge(e, now) != nil {
			continue
		}
		if s.outdated(e, now) {
			if values := s.replace(e, now); values != nil {
				s.setCookies(h, &from, values, e.known.Load().Ends)
				return
			}
		}
		s.deleteBeyond(h, &from, len(e.values))
		return
	}
}

// outdated reports whether the cookies of a session say less than is known.
func (s *Store) outdated(e *entry, now time.Time) bool {
	return e.former || now.Sub(e.issued) >= s.idle/8 || !e.known.Load().Checked.Equal(e.checked)
}

// replace returns the cookies that take the place of a session's: those that another
// answer has got lately, or new ones. It returns nil when the session has outgrown them;
// then it goes on with the ones it has for as long as these are good.
func (s *Store) replace(e *entry, now time.Time) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	rec := e.known.Load()
	if n := e.next; n != nil && n.known == rec && now.Sub(n.issued) < s.idle/8 {
		return n.values
	}
	c := &content{id: e.id, seen: now, marks: rec.marks, record: rec.Record}
	values, err := seal(s.sealer, e.name, c)
	if err != nil {
		var large *session.TooLarge
		if errors.As(err, &large) && !e.told {
			e.told = true
			s.log.Warn("a session has outgrown its cookies", "sub", rec.Identity.Subject, "provider", rec.Identity.Provider,
				"size", large.Size, "most", large.Most, "largest", describe(large.Parts))
		}
		return nil
	}
	e.next = &replacement{values: values, known: rec, issued: now}
	next := newEntry(c, e.name, values, false)
	next.state = e.state
	s.cache.put(next)
	return values
}

// setCookies sets the cookies of a session, and deletes those of its names that the
// browser may have and the session has not. Without values it deletes all.
func (s *Store) setCookies(h http.Header, from *carried, values []string, ends time.Time) {
	age := int((ends.Sub(s.now()) + time.Second - 1) / time.Second)
	for i, value := range values {
		session.SetCookie(h, s.cookie(from.place, i, value, age))
	}
	if len(values) == 0 {
		session.SetCookie(h, s.cookie(from.place, 0, "", -1))
	}
	s.deleteBeyond(h, from, max(1, len(values)))
}

// deleteBeyond deletes the further parts, from number n on, that the request carries or
// that this very answer has set before.
func (s *Store) deleteBeyond(h http.Header, from *carried, n int) {
	for at := n; at < maxChunks; at++ {
		if from.present[at] || isSet(h, from.place, at) {
			session.SetCookie(h, s.cookie(from.place, at, "", -1))
		}
	}
}

func isSet(h http.Header, p place, at int) bool {
	return slices.ContainsFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, partName(p.name, at)+"=")
	})
}

// cookie is the n-th of a session. An age below zero deletes it.
func (s *Store) cookie(p place, n int, value string, age int) *http.Cookie {
	c := s.names.Cookie(partName(p.name, n), value, age, s.sameSite)
	c.Domain = p.domain
	return c
}
