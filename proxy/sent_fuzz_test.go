package proxy

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// gateways are how servers make variables of the names of header fields, for CGI, FastCGI,
// WSGI, Rack and PHP: some only of "-", PHP also of what its names may not contain, and
// some of everything that is no letter or digit. After them two fields are one.
var gateways = map[string]func(rune) rune{
	"CGI (RFC 3875 section 4.1.18)": func(r rune) rune { return underscored(r, r == '-') },
	"PHP":                           func(r rune) rune { return underscored(r, strings.ContainsRune("-. [", r)) },
	"everything else": func(r rune) rune {
		return underscored(r, !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'))
	},
}

func underscored(r rune, yes bool) rune {
	switch {
	case yes:
		return '_'
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	}
	return r
}

// claimed are the variables that an application on /own/ believes, with the values that
// are true of jane at 203.0.113.1. Of those that are empty there is none.
var claimed = map[string]string{
	"X_FORWARDED_USER": "jane", "X_FORWARDED_EMAIL": "jane@example.org", "X_FORWARDED_GROUPS": "a,b", "X_FORWARDED_PREFERRED_USERNAME": "jane",
	"X_AUTH_USER": "jd", "X_ROLES": "admin", "X_CLIENT": "desktop",
	"X_FORWARDED_HOST": publicHost, "X_FORWARDED_PROTO": "https", "X_FORWARDED_FOR": "", "X_REAL_IP": "",
	"REMOTE_USER": "", "REMOTE_EMAIL": "", "REMOTE_NAME": "", "REMOTE_GROUPS": "",
	"X_WEBAUTH_USER": "", "X_WEBAUTH_EMAIL": "", "X_WEBAUTH_NAME": "", "X_WEBAUTH_GROUPS": "", "X_WEBAUTH_ROLE": "",
	"FORWARDED": "", "PROXY": "", "X_HTTP_METHOD_OVERRIDE": "", "X_HTTP_METHOD": "", "X_METHOD_OVERRIDE": "",
}

// claimedPrefixes are families of which an application believes whatever it gets.
var claimedPrefixes = []string{"X_FORWARDED_", "X_ORIGINAL_", "X_REWRITE_", "X_CLAIMPROXY_", "X_AUTH_REQUEST_"}

// FuzzSentHeaders: whatever a client writes below its request line, no application, by
// whichever gateway it reads, is told another identity, origin or method than the true
// ones; nothing of ours is missing, and what is the client's own gets through. Both ways
// are gone, the short one (GET) and httputil.ReverseProxy's (POST).
func FuzzSentHeaders(f *testing.F) {
	for _, name := range forged {
		f.Add(name+": admin\r\n\r\n", false, false)
	}
	for _, rest := range []string{
		"\r\n", "Connection: X-Forwarded-User, x-real-ip\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n", "X-Forwarded-For: 192.0.2.7, 10.0.0.2\r\nForwarded: for=192.0.2.7;host=evil.example\r\n\r\n",
		"X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\nX-Original-URL: /admin\r\n\r\n", "X-HTTP-Method-Override: DELETE\r\nX_HTTP_Method: DELETE\r\n\r\n",
		"Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-User, X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Forwarded-User: admin\r\nX-Sum: 1\r\n\r\n",
		"Authorization: Bearer jane\r\nCookie: a=b; " + cookieName + "=jane;" + cookieName + "-login-x=y\r\n\r\n", "Cookie: a=\"; " + cookieName + "=x\"\r\nCookie:\t" + cookieName + " =x\r\n\r\n",
		"X-A: b\r\n X-Forwarded-User: admin\r\n\r\n", "Upgrade: websocket\r\nConnection: upgrade, x-forwarded-user\r\n\r\n", "Content-Length: 1\r\nExpect: 100-continue\r\n\r\na",
	} {
		f.Add(rest, false, false)
		f.Add(rest, true, true)
	}
	id := person(session.AuthBrowser, "jane", session.Claims{
		"email": "jane@example.org", "nickname": "jd", "roles": []any{"a", "b"}, "realm_access": map[string]any{"roles": []any{"admin"}},
	})
	config := identityHouse(f, newWire(f), id).config
	config.Tokens = fakeTokens{func(context.Context, session.Presented) (*session.Identity, error) { return id, nil }}
	config.Trusted = Trusted{Networks: prefixes("10.0.0.0/8")}
	var sent *http.Request
	config.Transport = func(string, http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			sent = r
			return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		})
	}
	config.Observe = nil
	p, err := New(config)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, rest string, post, trusted bool) {
		method := "GET"
		if post {
			method = "POST"
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " /own/x HTTP/1.1\r\nX-Kept: yes\r\nHost: " + publicHost + "\r\n" + rest)))
		if err != nil {
			return
		}
		r.RemoteAddr = "203.0.113.1:4711"
		if trusted {
			r.RemoteAddr = "10.0.0.1:4711"
		}
		connection := len(r.Header["Connection"]) > 0
		sent = nil
		func() {
			defer func() { // a body that breaks off ends its connection
				if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
					panic(broken)
				}
			}()
			p.ServeHTTP(&recorded{header: http.Header{}}, r)
		}()
		if sent == nil {
			return
		}
		if !connection && !slices.Contains(sent.Header["X-Kept"], "yes") {
			t.Fatalf("%q: what is the client's own is lost: %v", rest, sent.Header)
		}
		truth := p.chain(r)
		if !trusted && (len(truth) != 1 || truth[0] != "203.0.113.1") {
			t.Fatalf("%q: a stranger is believed to come by %q", rest, truth)
		}
		checkSent(t, sent.Header, strings.Join(truth, ", "), p.client(r))
		for name := range sent.Trailer {
			for gateway, fold := range gateways {
				if variable := strings.Map(fold, name); believed(variable) {
					t.Errorf("%q: %s makes %s of the trailer %q", rest, gateway, variable, name)
				}
			}
		}
		if sent.Method != method || sent.Host != publicHost || sent.URL.Path != "/own/x" {
			t.Errorf("%q: %s %s %s is sent", rest, sent.Method, sent.Host, sent.URL)
		}
	})
}

// numbered is what follows the name of a session's cookie that is one of several.
var numbered = regexp.MustCompile(`^\.[0-9]+$`)

// checkSent looks at the header of a request as each gateway does.
func checkSent(t *testing.T, h http.Header, chain, client string) {
	t.Helper()
	for gateway, fold := range gateways {
		told := map[string][]string{}
		for name, values := range h {
			variable := strings.Map(fold, name)
			told[variable] = append(told[variable], values...)
		}
		for variable, values := range told {
			if want := claimed[variable]; want != "" && len(values) == 1 && values[0] == want {
				continue
			}
			if variable == "X_FORWARDED_FOR" && len(values) == 1 && values[0] == chain || variable == "X_REAL_IP" && len(values) == 1 && values[0] == client {
				continue
			}
			if believed(variable) {
				t.Errorf("%s: the application is told %s=%q, want %q", gateway, variable, values, claimed[variable])
			}
		}
		for variable, want := range claimed {
			if want != "" && told[variable] == nil {
				t.Errorf("%s: the application is not told %s", gateway, variable)
			}
		}
		if client != "" && told["X_REAL_IP"] == nil || told["X_FORWARDED_FOR"] == nil {
			t.Errorf("%s: the application is not told where the request comes from: %v", gateway, h)
		}
	}
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(pair, "=")
			if rest, ours := strings.CutPrefix(strings.Trim(name, " \t"), cookieName); ours && (rest == "" || numbered.MatchString(rest) || strings.HasPrefix(rest, "-login-")) {
				t.Errorf("our cookie is sent on: %q", line)
			}
		}
	}
	for _, value := range h["Authorization"] {
		if scheme, _, _ := strings.Cut(strings.TrimLeft(value, " \t"), " "); strings.EqualFold(scheme, "Bearer") {
			t.Errorf("a token is sent on: %q", value)
		}
	}
}

// believed says whether an application takes a variable for claimproxy's word.
func believed(variable string) bool {
	_, known := claimed[variable]
	return known || slices.ContainsFunc(claimedPrefixes, func(prefix string) bool { return strings.HasPrefix(variable, prefix) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
