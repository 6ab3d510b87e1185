package login

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAClockThatIsWrong: what people see, what the log says and what is counted when this
// machine's clock and the provider's are not one.
func TestAClockThatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		ahead time.Duration // of the provider's
		want  string        // what is counted
		page  string
		log   string
	}{
		"a little ahead": {20 * time.Second, "invent ok", "", ""},
		"a little late":  {-20 * time.Second, "invent ok", "", ""},
		"hours ahead":    {3 * time.Hour, "invent token-expired", "had already expired. Its clock and the one here may differ", `"reason":"token-expired"`},
		"hours late":     {-3 * time.Hour, "invent token-invalid", "is not valid yet. Its clock and the one here may differ", `"reason":"token-invalid"`},
	} {
		t.Run(name, func(t *testing.T) {
			var told tally
			theirs := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
			s := newSite(t, func(set *setup) { set.idp.Now, set.config.Observer = theirs.Now, &told })
			s.clock.Advance(test.ahead)
			p := s.browser().signIn("/wanted")
			if got := told.take(); got != test.want {
				t.Errorf("counted as %q, want %q", got, test.want)
			}
			if test.page == "" {
				p.wantTo(s, "/wanted")
				return
			}
			p.want(http.StatusBadRequest, test.page)
			if !strings.Contains(s.logs.String(), test.log) {
				t.Errorf("the log lacks %s:\n%s", test.log, s.logs)
			}
		})
	}
}

// TestAClockThatMovesEndsNoSession: somebody who is looked at while it is wrong is known
// again when it is right, and no session lives any longer for it.
func TestAClockThatMovesEndsNoSession(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	for _, away := range []time.Duration{-48 * time.Hour, -time.Minute, 2 * time.Hour, 24 * time.Hour} {
		s.clock.Advance(away)
		if known := b.me() != ""; known != (away < 0) {
			t.Errorf("with a clock that is %v off: known %v", away, known)
		}
		s.clock.Advance(-away)
		if b.me() != "ada" {
			t.Errorf("after a clock that was %v off nobody is known", away)
		}
	}
	// What was noted as the last use by a clock that was ahead makes nobody immortal.
	s.clock.Advance(30 * time.Minute)
	b.me()
	s.clock.Advance(8 * time.Hour)
	if b.me() != "" {
		t.Error("the session outlives its lifetime")
	}
}
