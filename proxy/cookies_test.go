package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

// TestOwnCookiesNeverReachAnUpstream, and the others do as they came (SESS-23,
// CVE-2023-28625).
func TestOwnCookiesNeverReachAnUpstream(t *testing.T) {
	const own = cookieName + "=secret"
	u := newWire(t)
	h := openHouse(t, u)
	for _, test := range []struct {
		lines []string
		want  []string
	}{
		{[]string{own}, nil},
		{[]string{own + "; a=1"}, []string{"a=1"}},
		{[]string{"a=1; " + own}, []string{"a=1"}},
		{[]string{"a=1; " + own + "; b=2"}, []string{"a=1; b=2"}},
		{[]string{"a=1;" + own + ";b=2"}, []string{"a=1;b=2"}},
		{[]string{"a=1;  b=\"x y\" ;c", own}, []string{"a=1;  b=\"x y\" ;c"}},
		{[]string{own, own, "a=1"}, []string{"a=1"}},
		{[]string{cookieName + "-login-abc=secret; " + cookieName + ".1=secret; a=1"}, []string{"a=1"}},
		{[]string{"\t" + own + " ; a=1"}, []string{"a=1"}},
		{[]string{cookieName + " =secret; a=1"}, []string{"a=1"}},
		{[]string{cookieName + "; a=1"}, []string{"a=1"}},
		{[]string{"a=\"; " + own + "; b=\""}, []string{"a=\"; b=\""}},
		{[]string{";"}, []string{";"}},
		{[]string{"="}, []string{"="}},
		{[]string{"a=1; ; b"}, []string{"a=1; ; b"}},
		{[]string{"; " + own + " ;"}, []string{";"}},
		{[]string{"x" + cookieName + "=1; " + cookieName + "x=2"}, []string{"x" + cookieName + "=1; " + cookieName + "x=2"}},
		{[]string{strings.ToLower(cookieName) + "=another"}, []string{strings.ToLower(cookieName) + "=another"}},
	} {
		var lines []string
		for _, l := range test.lines {
			lines = append(lines, "Cookie: "+l)
		}
		res := h.get(t, "/public/", lines...)
		if res.StatusCode != http.StatusOK {
			t.Errorf("%q: got %d", test.lines, res.StatusCode)
		}
		head := u.one(t)
		if diff := cmp.Diff(test.want, values(head, "Cookie")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.lines, diff)
		}
		if strings.Contains(head, "secret") {
			t.Errorf("%q: our cookie reached the upstream:\n%s", test.lines, head)
		}
	}
}

// TestUpstreamsCannotSetOurCookies: an application could else sign its visitors in
// as somebody else, or out.
func TestUpstreamsCannotSetOurCookies(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, test := range []struct {
		set  []string
		kept []string
	}{
		{[]string{"a=1; Path=/", "b=2"}, []string{"a=1; Path=/", "b=2"}},
		{[]string{cookieName + "=x; Path=/; Secure"}, nil},
		{[]string{"a=1", " " + cookieName + " = x", "b=2"}, []string{"a=1", "b=2"}},
		{[]string{cookieName}, nil},
		{[]string{"=" + cookieName + "=x"}, nil},
		{[]string{" = " + cookieName + "=x"}, nil},
		{[]string{cookieName + "-login-x=y"}, nil},
		{[]string{"a=" + cookieName}, []string{"a=" + cookieName}},
	} {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
		for _, s := range test.set {
			answer += "Set-Cookie: " + s + "\r\n"
		}
		u.say(answer + "\r\n")
		res := h.get(t, "/public/")
		if diff := cmp.Diff(test.kept, res.Header.Values("Set-Cookie"), cmp.Transformer("nil", func(s []string) string { return strings.Join(s, "|") })); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.set, diff)
		}
	}
}

// TestBearerTokensStayHere unless the route says otherwise; other schemes pass.
func TestBearerTokensStayHere(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{
		{Path: "/kept/", SignIn: Bearer, Allow: r.of("signed-in"), Upstream: u.upstream(), ForwardToken: true},
		{Path: "/kept-public/", Allow: r.of("public"), Upstream: u.upstream(), ForwardToken: true},
		{Path: "/public/", Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/browser/", SignIn: Browser, Allow: r.of("signed-in"), Upstream: u.upstream()},
		{Path: "/", SignIn: Browser | Bearer, Allow: r.of("signed-in"), Upstream: u.upstream()},
	}, nil)
	for _, test := range []struct {
		target, authorization string
		want                  []string
	}{
		{"/", "Bearer jane", nil},
		{"/", "bEaReR jane", nil},
		{"/kept/", "bEaReR   jane", []string{"bEaReR   jane"}},
		{"/kept-public/", "Bearer whatever it is", []string{"Bearer whatever it is"}},
		{"/public/", "Bearer jane", nil},
		{"/public/", "Bearer", nil},
		{"/public/", "Bearer\tjane", nil},
		{"/public/", "Basic YTpi", []string{"Basic YTpi"}},
		{"/public/", "Token abc", []string{"Token abc"}},
		{"/public/", "Bearerx abc", []string{"Bearerx abc"}},
		{"/browser/", "Bearer jane", nil},
		{"/browser/", "Basic YTpi", []string{"Basic YTpi"}},
		{"/", "Digest username=\"a, b\"", []string{"Digest username=\"a, b\""}},
	} {
		if res := h.get(t, test.target, "Authorization: "+test.authorization, "Cookie: "+cookieName+"=jane"); res.StatusCode != 200 {
			t.Errorf("%s %q: got %d", test.target, test.authorization, res.StatusCode)
		}
		if diff := cmp.Diff(test.want, values(u.one(t), "Authorization")); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", test.target, test.authorization, diff)
		}
	}
}

func FuzzStripCookies(f *testing.F) {
	names := session.CookieNames{Session: "claimproxy", AttemptPrefix: "claimproxy-login-"}
	for _, seed := range []string{"claimproxy=x", "a=1; claimproxy=x;b", ";", "=", "a=\"; claimproxy=x\"", " claimproxy =x", "claimproxy-login-a=b", "claimproxy.0=x"} {
		f.Add(seed, "b=2")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.ContainsFunc(first+second, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
			return // net/http lets no such header in
		}
		h := http.Header{"Cookie": {first, second}}
		names.Strip(h)
		var kept []string
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				name, _, _ := strings.Cut(pair, "=")
				if name = strings.Trim(name, " \t"); name == "claimproxy" || strings.HasPrefix(name, "claimproxy-login-") {
					t.Fatalf("%q, %q: our cookie is left in %q", first, second, line)
				}
				if strings.Trim(pair, " \t") != "" {
					kept = append(kept, strings.Trim(pair, " \t"))
				}
			}
		}
		// The others are all there, in order.
		var want []string
		for _, line := range []string{first, second} {
			for pair := range strings.SplitSeq(line, ";") {
				name, _, _ := strings.Cut(pair, "=")
				if !names.Own(strings.Trim(name, " \t")) && strings.Trim(pair, " \t") != "" {
					want = append(want, strings.Trim(pair, " \t"))
				}
			}
		}
		if diff := cmp.Diff(want, kept); diff != "" {
			t.Fatalf("%q, %q (-want +got):\n%s", first, second, diff)
		}
	})
}

func FuzzSetCookieName(f *testing.F) {
	names := session.CookieNames{Session: "claimproxy", AttemptPrefix: "claimproxy-login-"}
	p := &Proxy{cookies: names}
	for _, seed := range []string{"claimproxy=x", "=claimproxy=x", "a=claimproxy", "claimproxy;x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Set-Cookie": {line}}
		p.dropOwnSetCookies(h)
		// What a browser makes of it (RFC 6265bis section 5.6), and sends back.
		pair, _, _ := strings.Cut(line, ";")
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			name, value = "", pair
		}
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		sent := name + "=" + value
		if name == "" {
			sent = value
		}
		if sentName, _, _ := strings.Cut(sent, "="); sentName == "claimproxy" && len(h) != 0 {
			t.Errorf("%q passes and comes back as %q", line, sent)
		}
	})
}
