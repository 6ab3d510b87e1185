package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestACodeIsGoodOnce: in the browser that has used it and in a copy of that from
// before.
func TestACodeIsGoodOnce(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	before := b.copied(wikiHost)
	b.take(u).wantTaken(wikiHost, "/x")
	b.take(u).wantRefused().want(http.StatusBadRequest, "used already", "signed in already")
	before.take(u).wantRefused()
	if b.meAt(wikiHost) != "ada" || before.meAt(wikiHost) != "" {
		t.Error("the second use changed who is signed in")
	}
}

// TestACodeWithoutItsAttempt: whoever reads a code in a log, a history or over a
// shoulder has no cookie of the attempt.
func TestACodeWithoutItsAttempt(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	thief := s.browser()
	thief.take(u).wantRefused().want(http.StatusBadRequest, "did not begin in this browser")
	if thief.meAt(wikiHost) != "" {
		t.Fatal("a stolen code let somebody in")
	}
	// It is used up, so nobody gets a second try with it; its owner begins anew.
	b.take(u).wantRefused()
	b.take(b.arrive(wikiHost, "/x")).wantTaken(wikiHost, "/x")
}

// TestACodeThatWasNeverShownIsOnlyForItsAttempt: a thief who is quick, and has begun an
// attempt of their own, still has another one.
func TestACodeThatWasNeverShownIsOnlyForItsAttempt(t *testing.T) {
	s := newHosts(t)
	b, thief := s.browser(), s.browser()
	u := b.arrive(wikiHost, "/x")
	thief.open(wikiHost + "/.auth/sign-in").want(http.StatusFound)
	thief.take(u).wantRefused()
	if thief.meAt(wikiHost) != "" {
		t.Error("a stolen code let somebody in")
	}
}

// TestLoginCSRFOnAnotherHost: a strange site sends somebody to accept with the code of the
// attacker's session. They must not work in the attacker's name without noticing,
// whether they are nobody there yet, have begun to sign in, or are signed in.
func TestLoginCSRFOnAnotherHost(t *testing.T) {
	s := newHosts(t)
	attacker := s.browser()
	attacker.take(attacker.arrive(docsHost, "/")) // signed in, so codes come at once
	s.idp.SignInAs("eve")
	nobody, beginning, known := s.browser(), s.browser(), s.browser()
	beginning.open(wikiHost + "/.auth/sign-in?return_to=/x").want(http.StatusFound)
	known.take(known.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	for name, victim := range map[string]*browser{"nobody": nobody, "beginning": beginning, "known": known} {
		was := victim.meAt(wikiHost)
		victim.take(attacker.arrive(wikiHost, "/")).wantRefused()
		if got := victim.meAt(wikiHost); got != was {
			t.Errorf("%s: is now %q, was %q", name, got, was)
		}
	}
	// Nor may they be made to leave the session that they have.
	if known.meAt(wikiHost) != "eve" {
		t.Error("the victim was signed out")
	}
	beginning.take(beginning.arrive(wikiHost, "/x")).wantTaken(wikiHost, "/x")
	if got := beginning.meAt(wikiHost); got != "eve" {
		t.Errorf("their own sign-in: got %q, want eve", got)
	}
}

// TestACodeOnAnotherHost: the attempts of one host are no good on another, not even in
// one browser.
func TestACodeOnAnotherHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	b.open(docsHost + "/.auth/sign-in").want(http.StatusFound)
	wiki, _ := url.Parse(wikiHost)
	docs, _ := url.Parse(docsHost)
	b.client.Jar.SetCookies(docs, b.client.Jar.Cookies(wiki)) // the worst case
	for _, host := range []string{docsHost, wildHost} {
		other := *u
		other.Host = strings.TrimPrefix(host, "https://")
		b.take(&other).wantRefused()
		if b.meAt(host) != "" {
			t.Errorf("%s: the wiki's code let somebody in", host)
		}
	}
	other := *u
	other.Host = "id.example.org"
	b.take(&other).want(http.StatusNotFound) // public_url's host takes none
	b.take(u).wantTaken(wikiHost, "/x")      // none of that has used it up
}

// TestAnExpiredCode and its twin just before.
func TestAnExpiredCode(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	s.clock.Advance(codeLife - time.Second)
	b.take(u).wantTaken(wikiHost, "/x")
	u = b.arrive(docsHost, "/x")
	s.clock.Advance(codeLife)
	b.take(u).wantRefused().want(http.StatusBadRequest, "took too long")
	// A code of the future is none either: no clock of ours is that wrong.
	u = b.arrive(docsHost, "/x")
	s.clock.Advance(-2 * codeLife)
	b.take(u).wantRefused()
}

// TestAnAttemptThatIsOver takes no code, however new that is.
func TestAnAttemptThatIsOver(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	p := b.open(wikiHost + "/.auth/sign-in?return_to=/x").want(http.StatusFound)
	b.signIn("/")
	s.clock.Advance(attemptLife)
	p = b.follow(p)
	s.listen(p)
	b.take(p.location()).wantRefused()
}

// TestSwappedBinding: the cookie of another attempt in the place of the right one.
func TestSwappedBinding(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	mine := b.cookiesAt(wikiHost)[0]
	attacker := s.browser()
	attacker.open(wikiHost + "/.auth/sign-in").want(http.StatusFound)
	theirs := attacker.cookiesAt(wikiHost)[0]
	wiki, _ := url.Parse(wikiHost)
	for name, value := range map[string]string{
		"another attempt's": theirs.Value, "none": "", "garbage": "x", "a flipped one": "A" + mine.Value[1:],
		"the code": u.Query().Get("code"), "the challenge": "x." + mine.Name, "cut short": mine.Value[:len(mine.Value)-1],
	} {
		b2 := s.browser()
		b2.client.Jar.SetCookies(wiki, []*http.Cookie{{Name: mine.Name, Value: value, Path: "/", Secure: true}})
		// Each with a code that nobody has shown yet, for the attempt whose place it takes.
		fresh, err := s.newCode(way{origin: wikiHost, challenge: challengeOf(t, s, mine)}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		v := *u
		v.RawQuery = "code=" + fresh
		b2.take(&v).wantRefused()
		if b2.meAt(wikiHost) != "" {
			t.Errorf("%s: let somebody in", name)
		}
	}
	// An attempt at a provider is none of another host, and the other way round.
	a := newAttempt("invent", "/x", s.clock.Now())
	_, a.State, _ = newKey()
	a.Origin = wikiHost
	box, err := s.seal(s.cookieOf(a.State), a)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.newCode(way{origin: wikiHost, challenge: a.State}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	res := s.getAt("wiki.example.net", "/.auth/accept?code="+text, "Cookie: "+s.cookieOf(a.State)+"="+box)
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a provider's attempt: got %d", res.StatusCode)
	}
	visit := b.cookiesAt(wikiHost)[0]
	opened, err := s.open(visit)
	if err != nil {
		t.Fatal(err)
	}
	res = s.getAt("id.example.org", "/.auth/callback/invent?code=x&state="+opened.State, "Cookie: "+visit.Name+"="+visit.Value)
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("another host's attempt at the callback: got %d", res.StatusCode)
	}
}

func challengeOf(t *testing.T, s *site, c *http.Cookie) string {
	t.Helper()
	a, err := s.open(c)
	if err != nil {
		t.Fatal(err)
	}
	return a.State
}

// TestForgedCodes: nobody else makes one, and there is one spelling of each.
func TestForgedCodes(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	code := u.Query().Get("code")
	attempt := b.cookiesAt(wikiHost)[0].Value
	other := s.Sealer.SealText(attemptLabel, []byte(`{"c":"x","u":99999999999999}`), []byte(wikiHost))
	for _, query := range []string{
		"", "code=", "code=x", "code=" + code[1:], "code=" + code + "A", "code=" + code + "%3D", "code=%0A" + code, "code=B" + code[1:], "code=" + code[:len(code)-1],
		"code=" + code + "&code=" + code, "code=" + code + "&code=x", "Code=" + code, "code=" + attempt, "code=" + other, "code=" + strings.Repeat("A", 10000), "%zz",
	} {
		v := *u
		v.RawQuery = query
		b.take(&v).wantRefused()
	}
	b.send(http.MethodPost, u.String()).want(http.StatusMethodNotAllowed)
	b.send(http.MethodHead, u.String()).want(http.StatusMethodNotAllowed)
	b.take(u).wantTaken(wikiHost, "/x")
}

// TestTheSessionStandsInNoAddress: neither as it is, nor so that our own key opens it.
func TestTheSessionStandsInNoAddress(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	handle := b.session().Value
	if strings.Contains(u.String(), handle) {
		t.Fatal("the handle stands in the address")
	}
	_, c, err := s.readCode(u.RawQuery, wikiHost)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(c.Box), handle) {
		t.Fatal("our own key opens the handle")
	}
	secret, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.pass(secret, wikiHost); err == nil {
		t.Error("the secret of another attempt opens it")
	}
	a, err := s.open(b.cookiesAt(wikiHost)[0])
	if err != nil {
		t.Fatal(err)
	}
	if pass, err := c.pass(a.Verifier, docsHost); err == nil {
		t.Errorf("it opens for another host: %q", pass)
	}
	if pass, err := c.pass(a.Verifier, wikiHost); err != nil || string(pass) != handle {
		t.Errorf("the attempt's own secret does not: %v", err)
	}
}

// TestOnlyANavigationIsCarried: what a script or a picture asks for makes no code, also
// of somebody who is known.
func TestOnlyANavigationIsCarried(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.signIn("/")
	_, challenge, _ := newKey()
	ask := idHost + "/.auth/sign-in?challenge=" + challenge + "&return_to=" + url.QueryEscape(wikiHost+"/")
	for _, headers := range [][]string{
		{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, {"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, {"Sec-Fetch-Dest: iframe"}, {"Authorization: Bearer x"},
	} {
		if to := b.open(ask, headers...).location(); to == nil || to.Path == "/.auth/accept" {
			t.Errorf("%v: leads to %v", headers, to)
		}
	}
	p := b.open(ask)
	s.listen(p)
	if to := p.location(); to == nil || to.Path != "/.auth/accept" {
		t.Errorf("a navigation leads to %v", to)
	}
}

// TestChallengesThatAreNone make no code.
func TestChallengesThatAreNone(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.signIn("/")
	_, good, _ := newKey()
	for _, challenge := range []string{"", "x", good[1:], good + "A", good + "=", good[:42] + "\n", strings.Repeat("A", 10000), "%00"} {
		p := b.open(idHost + "/.auth/sign-in?challenge=" + url.QueryEscape(challenge) + "&return_to=" + url.QueryEscape(wikiHost+"/x")).want(http.StatusFound)
		if got, want := p.header.Get("Location"), wikiHost+"/.auth/sign-in?return_to=%2Fx"; got != want {
			t.Errorf("%.50q: leads to %s, want %s", challenge, got, want)
		}
	}
	// The point of small order: what is sealed for it is sealed for everybody.
	p := b.open(idHost + "/.auth/sign-in?challenge=" + strings.Repeat("A", 43) + "&return_to=" + url.QueryEscape(wikiHost+"/x"))
	if p.status == http.StatusFound {
		t.Errorf("a code for everybody: leads to %v", p.location())
	}
}
