package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// The proxies here are not to be had from Debian. What they ask is written down from their
// sources, and asked at the built program.

// traefiksQuestion is how forwardAuth asks, without trustForwardHeader, about a request with
// these headers: it leaves out what is about the connection, and says the rest itself.
func traefiksQuestion(s *site, method, uri string, headers ...string) string {
	return "GET /.auth/check?redirect=true HTTP/1.1\r\nHost: " + s.Listen + "\r\n" + lines(headers) +
		"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: " + mustParse(s.t, s.url).Host + "\r\nX-Forwarded-Method: " + method + "\r\nX-Forwarded-Port: 80\r\n" +
		"X-Forwarded-Proto: http\r\nX-Forwarded-Server: edge\r\nX-Forwarded-Uri: " + uri + "\r\nX-Real-Ip: 192.0.2.7\r\nAccept-Encoding: gzip\r\n\r\n"
}

// envoysQuestion is how ext_authz asks by an http_service with the path_prefix of
// docs/forward-auth.md: with the very request, without its body, and with Envoy's own address
// behind the client's.
func envoysQuestion(s *site, method, uri string, headers ...string) string {
	return method + " /.auth/check/envoy" + uri + " HTTP/1.1\r\nhost: " + mustParse(s.t, s.url).Host + "\r\ncontent-length: 0\r\n" + lines(headers) +
		"x-envoy-internal: true\r\nx-forwarded-for: 192.0.2.7,10.0.0.5\r\nx-envoy-expected-rq-timeout-ms: 200\r\n\r\n"
}

func lines(headers []string) string {
	if len(headers) == 0 {
		return ""
	}
	return strings.Join(headers, "\r\n") + "\r\n"
}

func TestWhatTraefikAndEnvoyAskIsAnswered(t *testing.T) {
	t.Parallel()
	s, _, provider := asked(t, "x-forwarded")
	s.config = strings.Replace(s.config, "trusted_proxies: [127.0.0.1]", "trusted_proxies: [127.0.0.1, 10.0.0.5]", 1)
	s.config = strings.Replace(s.config, "public_from: 127.0.0.2", "public_from: 192.0.2.7", 1)
	s.start()
	ada := "Authorization: Bearer " + provider.Issue("ada", "proxy-web", "openid profile email").AccessToken
	bob := "Authorization: Bearer " + provider.Issue("bob", "proxy-web", "openid profile email").AccessToken
	person := []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	socket := []string{"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	const identity = "X-Forwarded-User"
	for _, tc := range []struct {
		name, method, uri string
		headers           []string
		traefik, envoy    int
		user              string
	}{
		{"a developer", "GET", "/api?x=1", []string{ada}, 200, 200, "ada"},
		{"a developer who uploads", "POST", "/api", []string{ada, "Content-Type: text/plain"}, 200, 200, "ada"},
		{"a visitor", "GET", "/api", []string{bob}, 403, 403, ""},
		{"a program without a token", "GET", "/api", []string{"Accept: */*"}, 401, 401, ""},
		{"a bad token", "GET", "/api", []string{"Authorization: Bearer x"}, 401, 401, ""},
		{"a person", "GET", "/wiki/a%C3%A9?b=c", person, 302, 401, ""},
		{"what is public", "GET", "/open/x", nil, 200, 200, ""},
		{"the client's network", "GET", "/near/x", nil, 200, 200, ""},
		{"a program's websocket", "GET", "/api", append([]string{ada}, socket...), 200, 200, "ada"},
		{"a path that climbs", "GET", "/open/..%2fapi", []string{ada}, 403, 403, ""},
		{"a page of claimproxy's own", "GET", "/.auth/me", []string{ada}, 403, 403, ""},
		{"TRACE", "TRACE", "/open/", nil, 403, 403, ""},
	} {
		for front, ask := range map[string]struct {
			question string
			want     int
		}{
			"Traefik": {traefiksQuestion(s, tc.method, tc.uri, tc.headers...), tc.traefik},
			"Envoy":   {envoysQuestion(s, tc.method, tc.uri, tc.headers...), tc.envoy},
		} {
			res := rawRequest(t, s, ask.question)
			if res.StatusCode != ask.want || res.Header.Get(identity) != tc.user {
				t.Errorf("%s asks about %s: got %d for %q, want %d for %q", front, tc.name, res.StatusCode, res.Header.Get(identity), ask.want, tc.user)
			}
			if _, there := res.Header[identity]; there != (ask.want == http.StatusOK) {
				t.Errorf("%s asks about %s: the identity is there: %v", front, tc.name, there)
			}
			if cookies := res.Header["Set-Cookie"]; len(cookies) > 0 {
				t.Errorf("%s asks about %s: got cookies", front, tc.name)
			}
			leads := res.Header.Get("Location") + res.Header.Get("X-Claimproxy-Sign-In")
			if want := s.url + "/.auth/sign-in?return_to="; strings.HasPrefix(leads, want) != (tc.name == "a person") {
				t.Errorf("%s asks about %s: leads to %q", front, tc.name, leads)
			}
		}
	}

	// Envoy passes on what clients say of X-Forwarded-For; its own address does not make that
	// the client's network where Envoy is not trusted to have seen it.
	res := rawRequest(t, s, strings.Replace(envoysQuestion(s, "GET", "/near/x"), "192.0.2.7,10.0.0.5", "192.0.2.7,203.0.113.9,10.0.0.5", 1))
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an address that is forged: got %d, want 401", res.StatusCode)
	}
}
