package login

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// circlesTold are what the log says about circles.
func (s *site) circlesTold() []string {
	s.t.Helper()
	var told []string
	for line := range strings.Lines(s.logs.String()) {
		var l struct{ Msg, Because, Look_at string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			s.t.Fatal(err)
		}
		if l.Msg == "a browser goes round in circles" {
			told = append(told, l.Because+" | "+l.Look_at)
		}
	}
	return told
}

// loses takes cookies whose names begin so out of the browser.
func (b *browser) loses(prefix string) {
	for _, c := range b.jar(prefix) {
		b.client.Jar.SetCookies(b.siteURL(), []*http.Cookie{{Name: c.Name, Path: "/", MaxAge: -1, Secure: c.Secure}})
	}
}

// TestCirclesAreExplained: what is wrong is said when it has happened three times within a
// minute, in one line, once.
func TestCirclesAreExplained(t *testing.T) {
	for name, test := range map[string]struct {
		round func(*site, *browser)
		want  string
	}{
		"cookies are blocked": {func(s *site, b *browser) {
			back := b.visit("/")
			b.loses("")
			b.open(back.String()).want(http.StatusBadRequest)
		}, "it comes back without any cookie | whether the browser takes cookies of this site"},
		"only the last cookie is kept": {func(s *site, b *browser) {
			back := b.visit("/")
			b.loses("")
			b.put("language", "de")
			b.open(back.String()).want(http.StatusBadRequest)
		}, "it has other cookies of this host, and not the one that it left with | whether the proxy in front passes on every Set-Cookie line"},
		"another process answers": {func(s *site, b *browser) {
			back := b.visit("/")
			for _, c := range b.attempts() {
				b.put(c.Name, "sealed-with-another-key")
			}
			b.open(back.String()).want(http.StatusBadRequest)
		}, "the cookie that it left with cannot be opened here | whether several processes answer"},
		"the clock jumps": {func(s *site, b *browser) {
			back := b.visit("/")
			s.clock.Advance(attemptLife)
			b.open(back.String()).want(http.StatusBadRequest)
			s.clock.Advance(-attemptLife)
		}, "it comes back later than 15m0s after it left, by the clocks here | whether the clock of this machine jumps"},
		"the session cookie is dropped": {func(s *site, b *browser) {
			b.signIn("/").wantTo(s, "/")
			b.loses(s.Cookies.Session)
		}, "the session cookie that it is given does not come back | whether public_url is the address in the browser"},
		"another process keeps the sessions": {func(s *site, b *browser) {
			b.signIn("/").wantTo(s, "/")
			b.put(s.Cookies.Session, "of-another-process")
		}, "the session cookie that it comes back with is not known here | whether several processes answer that do not keep sessions together (session.store: redis)"},
		"an application sends them": {func(s *site, b *browser) {
			b.signIn("/").wantTo(s, "/")
		}, "it is signed in each time, has the session cookie and is sent here all the same | who sends it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser()
			for i := 1; i <= 2*circleAfter; i++ {
				test.round(s, b)
				s.clock.Advance(time.Second)
				told := s.circlesTold()
				switch {
				case i < circleAfter && len(told) > 0:
					t.Errorf("after %d rounds: %q", i, told)
				case i >= circleAfter && (len(told) != 1 || !strings.HasPrefix(told[0], test.want)):
					t.Fatalf("after %d rounds: got %q, want once %q", i, told, test.want)
				}
			}
			s.clock.Advance(circleQuiet)
			for range circleAfter {
				test.round(s, b)
			}
			if told := s.circlesTold(); len(told) != 2 {
				t.Errorf("after a while: told %d times, want 2", len(told))
			}
		})
	}
}

// TestASessionThatIsOverAtOnceIsACircle, as where a clock jumps.
func TestASessionThatIsOverAtOnceIsACircle(t *testing.T) {
	s := newSite(t, func(set *setup) { set.store.Idle = 10 * time.Second })
	b := s.browser()
	for range circleAfter {
		b.signIn("/").wantTo(s, "/")
		s.clock.Advance(15 * time.Second)
	}
	if told := s.circlesTold(); len(told) != 1 || !strings.HasPrefix(told[0], "the session cookie that it comes back with is over already | whether the clock") {
		t.Errorf("got %q", told)
	}
}

// TestOrdinaryPeopleAreNoCircle: several people behind one address, somebody who signs in
// now and then, and one who is asked for a stronger sign-in.
func TestOrdinaryPeopleAreNoCircle(t *testing.T) {
	s := newSite(t)
	for i := range 10 {
		s.idp.SignInAs([]string{"ada", "eve"}[i%2])
		s.browser().signIn("/").wantTo(s, "/")
		s.clock.Advance(20 * time.Second)
	}
	s.clock.Advance(circleWithin)
	b := s.browser()
	for range 10 {
		b.signIn("/").wantTo(s, "/")
		s.clock.Advance(circleWithin)
	}
	if told := s.circlesTold(); len(told) > 0 {
		t.Errorf("got %q", told)
	}
}

// TestACircleWithAnotherHostIsExplained: its cookies are lost, those of public_url's host
// are not.
func TestACircleWithAnotherHostIsExplained(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	for range circleAfter + 1 {
		b.arrive(wikiHost, "/x")
	}
	if told := s.circlesTold(); len(told) != 1 || !strings.HasPrefix(told[0], "it is signed in on public_url's host, and each time comes back from "+wikiHost+" as nobody | ") ||
		!strings.Contains(told[0], "by https") {
		t.Errorf("got %q", told)
	}
}

// TestStrangersDoNotFillTheMemoryOfCircles.
func TestStrangersDoNotFillTheMemoryOfCircles(t *testing.T) {
	var c Circles
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for i := range 10 * maxTrails {
		c.round(now.Add(time.Duration(i)*time.Millisecond), fmt.Sprint(i))
	}
	if len(c.trails) > maxTrails {
		t.Errorf("%d browsers are remembered, want at most %d", len(c.trails), maxTrails)
	}
}
