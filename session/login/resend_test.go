package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// keep has the handler keep a form as the proxy does for a session that is over.
func (b *browser) keep(contentType, body, place string) string {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.s.url+place, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	for _, c := range b.jar(b.s.Cookies.Session) {
		r.AddCookie(c)
	}
	to, err := b.s.KeepForm(r, []byte(body), place)
	if err != nil {
		b.t.Fatal(err)
	}
	return to
}

func parkingSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.Parking = s.store
	return s
}

const urlencoded = "application/x-www-form-urlencoded"

// TestFormOfASessionThatIsOverIsSentAgain when the same person has signed in again and
// wants it, field by field as it was.
func TestFormOfASessionThatIsOverIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		contentType, body string
		fields            []string
	}{
		"urlencoded": {urlencoded, "text=a+%26+b&tag=1&tag=2&empty=&umlaut=%C3%A4%0D%0A%3Cb%3E", []string{
			`name="text" value="a &amp; b"`, `name="tag" value="1"`, `name="tag" value="2"`, `name="empty" value=""`, "name=\"umlaut\" value=\"ä\r\n&lt;b&gt;\"",
		}},
		"multipart": {"multipart/form-data; boundary=xx", "--xx\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n--xx--\r\n", []string{`enctype="multipart/form-data"`, `name="text" value="hello"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := parkingSite(t)
			b := s.browser()
			b.signIn("/").wantTo(s, "/")
			s.clock.Advance(2 * time.Hour) // idle for too long
			to := b.keep(c.contentType, c.body, "/notes/save?draft=1")
			if !strings.HasPrefix(to, "/.auth/resend?form=") {
				t.Fatalf("got %q, want the page that sends it again", to)
			}
			s.secret(strings.TrimPrefix(to, "/.auth/resend?form="))
			// Not signed in yet: first that, then back here.
			b.open(to).wantTo(s, "/.auth/sign-in?return_to="+url.QueryEscape(to))
			b.signIn(to).wantTo(s, to)
			p := b.open(to).want(http.StatusOK, append(c.fields, `action="/notes/save?draft=1"`, "Send it now")...)
			if got := p.header.Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self'") {
				t.Errorf("got the policy %q", got)
			}
			b.open(to).want(http.StatusOK) // the page may be opened again
			s.clock.Advance(20 * time.Minute)
			b.open(to).want(http.StatusNotFound, "not kept any more")
		})
	}
}

// TestKeptFormIsNobodyElses: neither who signs in at the same browser, nor who has the
// address of the page, sees or sends it.
func TestKeptFormIsNobodyElses(t *testing.T) {
	s := parkingSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	s.clock.Advance(2 * time.Hour)
	to := b.keep(urlencoded, "secret=diary-of-ada", "/notes/save")
	s.idp.SignInAs("eve")
	for _, who := range []*browser{b, s.browser()} {
		who.signIn("/").wantTo(s, "/")
		who.open(to).want(http.StatusNotFound, "Somebody else").wantNo("diary-of-ada")
	}
	s.browser().open(to).wantTo(s, "/.auth/sign-in?return_to="+url.QueryEscape(to)).wantNo("diary-of-ada")
}

// TestNothingIsKeptForStrangers, nor what a page cannot send again.
func TestNothingIsKeptForStrangers(t *testing.T) {
	s := parkingSite(t)
	known := s.browser()
	known.signIn("/").wantTo(s, "/")
	s.clock.Advance(2 * time.Hour)
	forged := s.browser()
	forged.put(s.Cookies.Session, strings.Repeat("A", 66))
	for name, to := range map[string]string{
		"a stranger":              s.browser().keep(urlencoded, "a=b", "/notes"),
		"a made-up cookie":        forged.keep(urlencoded, "a=b", "/notes"),
		"JSON":                    known.keep("application/json", `{"a":1}`, "/notes"),
		"plain text":              known.keep("text/plain", "a=b", "/notes"),
		"no type":                 known.keep("", "a=b", "/notes"),
		"a file":                  known.keep("multipart/form-data; boundary=xx", "--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n--xx--\r\n", "/notes"),
		"a part without an end":   known.keep("multipart/form-data; boundary=xx", "--xx\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx", "/notes"),
		"bad escapes":             known.keep(urlencoded, "a=%zz", "/notes"),
		"text that is no UTF-8":   known.keep(urlencoded, "a=%FF", "/notes"),
		"a NUL":                   known.keep(urlencoded, "a=%00", "/notes"),
		"a place elsewhere":       known.keep(urlencoded, "a=b", "//evil.example/"),
		"a page of ours":          known.keep(urlencoded, "a=b", "/.auth/sign-out"),
		"more fields than a form": known.keep(urlencoded, strings.Repeat("a=b&", 1001), "/notes"),
	} {
		if to != "" {
			t.Errorf("%s: got %q, want nothing kept", name, to)
		}
	}
	if to := known.keep(urlencoded, "a=b", "/notes"); to == "" {
		t.Error("the form of somebody whose session is over is not kept")
	}
}

// TestTicketIsNoSession, and a session is no ticket.
func TestTicketIsNoSession(t *testing.T) {
	s := parkingSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	session := b.session().Value
	b.open("/.auth/resend?form="+session).want(http.StatusNotFound, "not kept any more")
	for _, form := range []string{"", "x", strings.Repeat("A", 66), "..%2f", "%00"} {
		b.open("/.auth/resend?form="+form).want(http.StatusNotFound, "not kept any more")
	}
	s.clock.Advance(2 * time.Hour)
	ticket := strings.TrimPrefix(b.keep(urlencoded, "a=b", "/notes"), "/.auth/resend?form=")
	thief := s.browser()
	thief.put(s.Cookies.Session, ticket)
	if got := thief.me(); got != "" {
		t.Errorf("the ticket is a session of %s", got)
	}
}
