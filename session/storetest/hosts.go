package storetest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// hostTests are about one session on several hosts.
var hostTests = []test{
	{"another host adopts the session, and signing out on either ends both", testAdopt},
	{"adopting a session ends the one that was there", testAdoptInPlace},
	{"the cookie of another host is good on that host alone", testBound},
	{"cookies tossed on another host do not hide the good one", testBoundTossed},
	{"a session that is over is not adopted", testAdoptOver},
	{"what is no pass is not adopted", testAdoptGarbage},
	{"a name can be used once, wherever the backend is shared", testOnce},
	{"a domain's hosts share one cookie, others have their own", testSharedCookie},
	{"a cookie tossed by a sibling host does not hide the shared one", testSharedTossed},
}

// at is a request to a host with these Cookie header fields.
func at(host string, cookies ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://"+host+"/", nil)
	for _, c := range cookies {
		r.Header.Add("Cookie", c)
	}
	return r
}

// set returns the one cookie that an answer sets.
func set(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	list := (&http.Response{Header: w.Header()}).Cookies()
	if len(list) != 1 {
		t.Fatalf("got %d cookies, want one: %v", len(list), list)
	}
	return list[0]
}

func pair(c *http.Cookie) string { return c.Name + "=" + c.Value }

// signedIn signs somebody in at a host.
func (w *world) signedIn(t *testing.T, host, subject string) *http.Cookie {
	t.Helper()
	rec := httptest.NewRecorder()
	if err := w.Start(rec, at(host), Person(subject)); err != nil {
		t.Fatal(err)
	}
	return set(t, rec)
}

// adopted takes the session of a request over to another one's host.
func (w *world) adopted(t *testing.T, from, to *http.Request) *http.Cookie {
	t.Helper()
	pass, err := w.Pass(from)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if err := w.Adopt(rec, to, pass); err != nil {
		t.Fatal(err)
	}
	return set(t, rec)
}

func testAdopt(t *testing.T, b session.Backend) {
	for _, signOutAt := range []string{"telemetry.example.org", "wiki.example.net"} {
		w := newWorld(t, b)
		here := w.signedIn(t, "telemetry.example.org", "jane")
		w.clock.Advance(idle / 2)
		there := w.adopted(t, at("telemetry.example.org", pair(here)), at("wiki.example.net"))
		if there.Name != "__Host-claimproxy" || there.Domain != "" || there.Path != "/" || !there.Secure || !there.HttpOnly || there.SameSite != here.SameSite {
			t.Errorf("got the cookie %v", there)
		}
		if want := here.MaxAge - int(idle/2/time.Second); there.MaxAge != want {
			t.Errorf("got Max-Age %d, want %d: it ends with the session", there.MaxAge, want)
		}
		other := w.again(t) // another replica, or the same one later
		for _, r := range []*http.Request{at("telemetry.example.org", pair(here)), at("wiki.example.net", pair(there))} {
			wantPerson(t, w, r, "jane")
			wantPerson(t, other, r, "jane")
		}
		rec := httptest.NewRecorder()
		if err := w.End(rec, at(signOutAt, pair(here))); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*http.Request{at("telemetry.example.org", pair(here)), at("wiki.example.net", pair(there)), at("docs.example.net", pair(there))} {
			wantNobody(t, w, r)
			wantNobody(t, other, r)
		}
	}
}

// testBound: whoever sees the cookie of one host, as the applications behind a proxy that
// only asks here do, and people who take over a host that a wildcard stands for, is
// nobody on the others.
func testBound(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	here := w.signedIn(t, "telemetry.example.org", "jane")
	wiki := w.adopted(t, at("telemetry.example.org", pair(here)), at("WIKI.example.net:8443"))
	docs := w.adopted(t, at("telemetry.example.org", pair(here)), at("docs.example.net"))
	for _, host := range []string{"wiki.example.net", "Wiki.Example.Net.", "wiki.example.net:443"} {
		r := at("x", pair(wiki))
		r.Host = host
		wantPerson(t, w, r, "jane")
		wantPerson(t, w.again(t), r, "jane")
	}
	for _, host := range []string{"telemetry.example.org", "docs.example.net", "a.wiki.example.net", "example.net", "wiki.example.net.evil.example", "x"} {
		r := at(host, pair(wiki))
		wantNobody(t, w, r)
		if _, err := w.Pass(r); !errors.Is(err, session.ErrNoCredentials) {
			t.Errorf("%s: it can be carried on: %v", host, err)
		}
		if err := w.End(httptest.NewRecorder(), at(host, pair(wiki))); err != nil {
			t.Fatal(err)
		}
	}
	wantPerson(t, w, at("wiki.example.net", pair(wiki)), "jane")
	wantPerson(t, w, at("docs.example.net", pair(docs)), "jane")
	// On its own host it can do what the session can.
	if err := w.End(httptest.NewRecorder(), at("docs.example.net", pair(docs))); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{at("telemetry.example.org", pair(here)), at("wiki.example.net", pair(wiki)), at("docs.example.net", pair(docs))} {
		wantNobody(t, w, r)
	}
}

func testBoundTossed(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	here := w.signedIn(t, "telemetry.example.org", "jane")
	from := at("telemetry.example.org", pair(here))
	wiki, docs := w.adopted(t, from, at("wiki.example.net")), w.adopted(t, from, at("docs.example.net"))
	ended := w.signedIn(t, "telemetry.example.org", "joe")
	if err := w.End(httptest.NewRecorder(), at("telemetry.example.org", pair(ended))); err != nil {
		t.Fatal(err)
	}
	name := wiki.Name + "="
	for _, tossed := range []string{"", "garbage", ended.Value, docs.Value, flip(wiki.Value, 2), flip(wiki.Value, 20), flip(wiki.Value, 90), wiki.Value + "A", wiki.Value[1:]} {
		wantNobody(t, w, at("wiki.example.net", name+tossed))
		for _, line := range []string{name + tossed + "; " + pair(wiki), pair(wiki) + "; " + name + tossed} {
			wantPerson(t, w, at("wiki.example.net", line), "jane")
		}
	}
	// A jar full of what nobody here has sealed costs no attempt.
	many := strings.Repeat(name+flip(wiki.Value, 2)+"; ", 1000)
	wantPerson(t, w, at("wiki.example.net", many+pair(wiki)), "jane")
}

func testAdoptInPlace(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.signedIn(t, "telemetry.example.org", "jane")
	joe := w.signedIn(t, "wiki.example.net", "joe")
	there := w.adopted(t, at("telemetry.example.org", pair(jane)), at("wiki.example.net", pair(joe)))
	wantPerson(t, w, at("wiki.example.net", pair(there)), "jane")
	wantNobody(t, w, at("wiki.example.net", pair(joe)))
	// Once more, as a second tab does: nothing is ended.
	there = w.adopted(t, at("telemetry.example.org", pair(jane)), at("wiki.example.net", pair(there)))
	wantPerson(t, w, at("wiki.example.net", pair(there)), "jane")
	wantPerson(t, w, at("telemetry.example.org", pair(jane)), "jane")
}

func testAdoptOver(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.signedIn(t, "telemetry.example.org", "jane")
	pass, err := w.Pass(at("telemetry.example.org", pair(jane)))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(idle)
	rec := httptest.NewRecorder()
	var rejected *session.Rejected
	if err := w.Adopt(rec, at("wiki.example.net"), pass); !errors.As(err, &rejected) || rejected.Reason != session.ReasonSessionExpired {
		t.Errorf("Adopt: got %v, want session-expired", err)
	}
	if _, err := w.Pass(at("telemetry.example.org", pair(jane))); !errors.As(err, &rejected) || rejected.Reason != session.ReasonSessionExpired {
		t.Errorf("Pass: got %v, want session-expired", err)
	}
	if err := w.End(httptest.NewRecorder(), at("telemetry.example.org", pair(jane))); err != nil {
		t.Fatal(err)
	}
	if err := w.Adopt(rec, at("wiki.example.net"), pass); !errors.As(err, &rejected) || rejected.Reason != session.ReasonSessionEnded {
		t.Errorf("Adopt: got %v, want session-ended", err)
	}
	if len(rec.Header()) != 0 {
		t.Errorf("got %v, want no cookie", rec.Header())
	}
}

func testAdoptGarbage(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.signedIn(t, "telemetry.example.org", "jane")
	for _, pass := range []string{"", "x", flip(jane.Value, 0), flip(jane.Value, 5), flip(jane.Value, 48), jane.Value + "A", jane.Value[1:]} {
		rec := httptest.NewRecorder()
		if err := w.Adopt(rec, at("wiki.example.net"), []byte(pass)); err == nil || len(rec.Header()) != 0 {
			t.Errorf("%q: got error %v and %v", pass, err, rec.Header())
		}
	}
	if _, err := w.Pass(at("telemetry.example.org")); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("Pass of nobody: got %v", err)
	}
	wantPerson(t, w, at("telemetry.example.org", pair(jane)), "jane")
}

func testOnce(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	other := w.again(t)
	until := w.clock.Now().Add(time.Minute)
	ctx := context.Background()
	if used, err := other.Used(ctx, "a"); used || err != nil {
		t.Errorf("before: got %v, %v; want unused", used, err)
	}
	if err := w.Once(ctx, "a", until); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*world{w, other} {
		if used, err := s.Used(ctx, "a"); !used || err != nil {
			t.Errorf("got %v, %v; want used", used, err)
		}
		if err := s.Once(ctx, "a", until); !errors.Is(err, session.ErrExists) {
			t.Errorf("got %v, want %v", err, session.ErrExists)
		}
	}
	if err := other.Once(ctx, "b", until); err != nil {
		t.Errorf("another name: got %v", err)
	}
	// It takes no room for longer than it must.
	if n, err := b.Sweep(ctx, until.Add(time.Second)); err != nil || n != 2 {
		t.Errorf("swept %d, %v; want 2", n, err)
	}
}

func sharing(o *session.StoreOptions) { o.CookieDomain = "int.example.org" }

func testSharedCookie(t *testing.T, b session.Backend) {
	w := newWorld(t, b, sharing)
	jane := w.signedIn(t, "id.int.example.org:443", "jane")
	if jane.Name != "__Secure-claimproxy" || jane.Domain != "int.example.org" || jane.Path != "/" || !jane.Secure || !jane.HttpOnly {
		t.Errorf("got the cookie %v", jane)
	}
	for _, host := range []string{"int.example.org", "wiki.int.example.org", "a.b.int.example.org", "WIKI.INT.example.org.", "wiki.int.example.org:8443"} {
		r := at("x", pair(jane))
		r.Host = host
		wantPerson(t, w, r, "jane")
	}
	// A host outside has its own, and neither is taken for the other.
	there := w.adopted(t, at("id.int.example.org", pair(jane)), at("wiki.example.net"))
	if there.Name != "__Host-claimproxy" || there.Domain != "" || there.Value == jane.Value {
		t.Errorf("got the cookie %v", there)
	}
	wantPerson(t, w, at("wiki.example.net", pair(there)), "jane")
	for _, host := range []string{"wiki.example.net", "evilint.example.org", "int.example.org.evil.example", "example.org"} {
		wantNobody(t, w, at(host, pair(jane)))
	}
	wantNobody(t, w, at("wiki.int.example.org", pair(there), "__Secure-claimproxy="+there.Value))
	// Within the domain there is but one cookie, wherever it came to be.
	wiki := w.adopted(t, at("wiki.example.net", pair(there)), at("wiki.int.example.org"))
	if wiki.Name != jane.Name || wiki.Value != jane.Value || wiki.Domain != jane.Domain {
		t.Errorf("got the cookie %v, want %v", wiki, jane)
	}
	// Signing out takes the cookie from all hosts that have it.
	rec := httptest.NewRecorder()
	if err := w.End(rec, at("wiki.int.example.org", pair(jane))); err != nil {
		t.Fatal(err)
	}
	if gone := set(t, rec); gone.Name != "__Secure-claimproxy" || gone.Domain != "int.example.org" || gone.MaxAge >= 0 || !gone.Secure {
		t.Errorf("got the deletion %v", gone)
	}
	wantNobody(t, w, at("wiki.example.net", pair(there)))
	for _, name := range []string{"__Secure-claimproxy", "__Secure-claimproxy.1", "__Host-claimproxy", "__Host-claimproxy-login-x"} {
		if !w.Cookies().Own(name) {
			t.Errorf("%s would go to an upstream", name)
		}
	}
	for _, name := range []string{"claimproxy", "__Secure-claimproxy-login-x", "__Secure-claimproxyx", "__secure-claimproxy"} {
		if w.Cookies().Own(name) {
			t.Errorf("%s is an application's", name)
		}
	}
}

// testSharedTossed: every host of the domain can set a cookie of that name for all.
func testSharedTossed(t *testing.T, b session.Backend) {
	w := newWorld(t, b, sharing)
	jane := w.signedIn(t, "id.int.example.org", "jane")
	ended := w.signedIn(t, "id.int.example.org", "joe")
	if err := w.End(httptest.NewRecorder(), at("id.int.example.org", pair(ended))); err != nil {
		t.Fatal(err)
	}
	name := jane.Name + "="
	for _, tossed := range []string{"", "garbage", ended.Value, flip(jane.Value, 5), flip(jane.Value, 40)} {
		for _, line := range []string{name + tossed + "; " + pair(jane), pair(jane) + "; " + name + tossed} {
			wantPerson(t, w, at("wiki.int.example.org", line), "jane")
		}
		wantPerson(t, w, at("wiki.int.example.org", name+tossed, pair(jane)), "jane")
	}
}
