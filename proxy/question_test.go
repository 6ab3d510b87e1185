package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAQuestionSaysEverythingOnce: a header that is missing, empty or there twice is
// 400, never a guess, and nobody is asked who is calling (FWD-06, CVE-2021-32637).
func TestAQuestionSaysEverythingOnce(t *testing.T) {
	for family, whole := range map[ForwardAuth][]string{
		ForwardAuthXForwarded: questionOf("GET", publicHost, "/app/", asJane),
		ForwardAuthXOriginal:  originalOf("GET", "https://"+publicHost+"/app/", asJane),
	} {
		h := newCheckHouse(t, family, nil)
		wantCheck(t, h.get(t, "/.auth/check", whole...), 200, "policy")
		h.lookups.Store(0)
		for _, line := range whole {
			name, value, _ := strings.Cut(line, ":")
			if !strings.HasPrefix(name, "X-") {
				continue
			}
			for what, lines := range map[string][]string{
				"missing":         without(whole, name),
				"empty":           with(without(whole, name), name+":"),
				"blank":           with(without(whole, name), name+":  \t "),
				"twice":           with(whole, line),
				"twice the other": with(whole, name+": /public/"),
				"empty and full":  with(whole, name+":"),
				"only an alias":   with(without(whole, name), strings.ReplaceAll(name, "-", "_")+":"+value),
			} {
				if res := h.get(t, "/.auth/check", lines...); res.StatusCode != 400 {
					t.Errorf("%s %s: got %d, want 400", name, what, res.StatusCode)
				}
			}
			// An alias beside it changes nothing (FWD-04, CVE-2026-39858).
			wantCheck(t, h.get(t, "/.auth/check", with(whole, strings.ReplaceAll(name, "-", "_")+": /public/")...), 200, "policy")
			h.lookups.Store(0)
		}
		if res := h.get(t, "/.auth/check", asJane); res.StatusCode != 400 || h.lookups.Load() != 0 {
			t.Errorf("nothing at all: got %d, want 400; %d lookups", res.StatusCode, h.lookups.Load())
		}
	}
}

// TestTheOtherFamilyIsIgnored: a front proxy of one family passes on what a client has
// written into the other.
func TestTheOtherFamilyIsIgnored(t *testing.T) {
	forwarded, original := questionOf("GET", publicHost, "/public/"), originalOf("GET", "https://"+publicHost+"/public/")
	for family, lines := range map[ForwardAuth][2][]string{
		ForwardAuthXForwarded: {questionOf("GET", publicHost, "/closed/"), original[1:]},
		ForwardAuthXOriginal:  {originalOf("GET", "https://"+publicHost+"/closed/"), forwarded[1:]},
	} {
		h := newCheckHouse(t, family, nil)
		wantCheck(t, h.get(t, "/.auth/check", append(lines[0], lines[1]...)...), 403, "nobody")
		if res := h.get(t, "/.auth/check", lines[1]...); res.StatusCode != 400 {
			t.Errorf("the other family alone: got %d, want 400", res.StatusCode)
		}
		more := []string{"X-Forwarded-Prefix: /public", "X-Forwarded-Path: /public/", "X-Forwarded-Url: /public/", "X-Forwarded-Server: " + otherHost, "X-Forwarded-Port: 1",
			"X-Original-Host: " + otherHost, "X-Original-Uri: /public/", "X-Rewrite-Url: /public/", "X-Original-Path: /public/", "X-Envoy-Original-Path: /public/",
			"X-Auth-Request-Redirect: /public/", "X-HTTP-Method-Override: TRACE", "Forwarded: host=" + otherHost}
		wantCheck(t, h.get(t, "/.auth/check", append(lines[0], more...)...), 403, "nobody")
	}
}

// TestMalformedQuestionsLetNobodyIn: no value makes a request look like a public one
// (FWD-06, CVE-2021-32637). Every path that is not there leads to /public/ for some
// reader.
func TestMalformedQuestionsLetNobodyIn(t *testing.T) {
	huge := strings.Repeat("a", 100<<10)
	t.Run("x-forwarded", func(t *testing.T) {
		h := newCheckHouse(t, ForwardAuthXForwarded, nil)
		for _, test := range []struct {
			name, value string
			status      int
			reason      Reason
		}{
			{"X-Forwarded-Uri", "/public/%zz", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/%", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/..%2fadmin", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/../admin", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/%2e%2e/admin", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/%252e%252e/admin", 403, "bad-target"},
			{"X-Forwarded-Uri", `/public/..\admin`, 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/%5c..%5cadmin", 403, "bad-target"},
			{"X-Forwarded-Uri", "//public/", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/;x", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/#/../admin", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/?x#y", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/?a b", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/%00", 403, "bad-target"},
			{"X-Forwarded-Uri", "/public/\x01", 400, ""}, // net/http
			{"X-Forwarded-Uri", "public/", 403, "bad-target"},
			{"X-Forwarded-Uri", "?public", 403, "bad-target"},
			{"X-Forwarded-Uri", "*", 403, "bad-target"},
			{"X-Forwarded-Uri", "https://" + publicHost + "/public/", 403, "bad-target"},
			{"X-Forwarded-Uri", "/" + huge, 403, "no-route"},
			{"X-Forwarded-Host", "user@" + publicHost, 403, "bad-host"},
			{"X-Forwarded-Host", publicHost + ", evil.example", 403, "bad-host"},
			{"X-Forwarded-Host", publicHost + "/", 403, "bad-host"},
			{"X-Forwarded-Host", publicHost + ":x", 403, "bad-host"},
			{"X-Forwarded-Host", publicHost + ":443:443", 403, "bad-host"},
			{"X-Forwarded-Host", "https://" + publicHost, 403, "bad-host"},
			{"X-Forwarded-Host", "app%2eexample.org", 403, "bad-host"},
			{"X-Forwarded-Host", "xn--evil.example", 403, "no-route"},
			{"X-Forwarded-Host", huge, 403, "bad-host"},
			{"X-Forwarded-Method", "CONNECT", 403, "method"},
			{"X-Forwarded-Method", "TRACE", 403, "method"},
			{"X-Forwarded-Method", "GET /public/", 403, "method"},
			{"X-Forwarded-Method", "GET,POST", 403, "method"},
			{"X-Forwarded-Method", "G\xc3\x89T", 403, "method"},
			{"X-Forwarded-Proto", "https, http", 400, ""},
			{"X-Forwarded-Proto", "file", 400, ""},
			{"X-Forwarded-Proto", "https:", 400, ""},
			{"X-Forwarded-Proto", huge, 400, ""},
		} {
			lines := with(without(questionOf("GET", publicHost, "/public/"), test.name), test.name+": "+test.value)
			res := h.get(t, "/.auth/check", lines...)
			if got := Reason(res.Header.Get("X-Claimproxy-Reason")); res.StatusCode != test.status || got != test.reason {
				t.Errorf("%s: %.60q: got %d %q, want %d %q", test.name, test.value, res.StatusCode, got, test.status, test.reason)
			}
		}
		for _, proto := range []string{"http", "HTTPS", "ws", "wss"} {
			wantCheck(t, h.get(t, "/.auth/check", with(without(questionOf("GET", publicHost, "/public/"), "X-Forwarded-Proto"), "X-Forwarded-Proto: "+proto)...), 200, "public")
		}
	})
	t.Run("x-original", func(t *testing.T) {
		h := newCheckHouse(t, ForwardAuthXOriginal, nil)
		for value, want := range map[string]struct {
			status int
			reason Reason
		}{
			"https://" + publicHost + "/public/":                      {200, "public"}, // the twin
			"http://" + publicHost + ":80/public/?a=//b":              {200, "public"},
			"https://" + publicHost + "/%zz":                          {403, "bad-target"},
			"https://" + publicHost:                                   {403, "bad-target"},
			"https://" + publicHost + "?x=/public/":                   {403, "bad-target"},
			"https://" + publicHost + "#/public/":                     {403, "bad-target"},
			"https://" + publicHost + "/public/#x":                    {403, "bad-target"},
			"https://" + publicHost + "//public/":                     {403, "bad-target"},
			"https://" + publicHost + "/public/..%2f":                 {403, "bad-target"},
			"https://user:sesame@" + publicHost + "/public/":          {403, "bad-host"},
			"https://evil.example\\@" + publicHost + "/public/":       {403, "bad-host"},
			"https://" + publicHost + "\\public/":                     {403, "bad-host"},
			"https:///public/":                                        {403, "bad-host"},
			"https://https://" + publicHost + "/public/":              {403, "bad-target"},
			"https://" + publicHost + " /public/":                     {403, "bad-host"},
			"//" + publicHost + "/public/":                            {400, ""},
			"/public/":                                                {400, ""},
			publicHost + "/public/":                                   {400, ""},
			"https:" + publicHost + "/public/":                        {400, ""},
			"javascript:alert(1)//https://" + publicHost + "/public/": {400, ""},
			"\x7fhttps://" + publicHost + "/public/":                  {400, ""},
			"https://" + publicHost + "/" + huge:                      {403, "no-route"},
		} {
			res := h.get(t, "/.auth/check", originalOf("GET", value)...)
			if got := Reason(res.Header.Get("X-Claimproxy-Reason")); res.StatusCode != want.status || got != want.reason {
				t.Errorf("%.80q: got %d %q, want %d %q", value, res.StatusCode, got, want.status, want.reason)
			}
		}
		for len(h.events.all) > 0 {
			if event := h.events.next(t); strings.Contains(event.Path, "sesame") || len(event.Path) > 300 && event.Reason != ReasonNoRoute {
				t.Errorf("event %.400q", event.Path)
			}
		}
	})
}

// TestEnvoyAsksWithTheRequestItself: method, host and target are the question's own,
// and what a client writes there neither escapes the prefix nor sets an option.
func TestEnvoyAsksWithTheRequestItself(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	const prefix = "/.auth/check/envoy"
	other := questionOf("GET", publicHost, "/public/")[1:]
	for _, test := range []struct {
		method, target string
		lines          []string
		status         int
		reason         Reason
		path           string
	}{
		{"GET", "/app/x?y", []string{asJane}, 200, "policy", "/app/x"},
		{"DELETE", "/app/", []string{asJane}, 200, "policy", "/app/"},
		{"GET", "/public/", nil, 200, "public", "/public/"},
		{"GET", "/closed/", append(other, asJane), 403, "nobody", "/closed/"},
		{"GET", "/app/", []string{asJoe}, 403, "not-allowed", "/app/"},
		{"GET", "/app/", nil, 401, "no-credentials", "/app/"},
		{"GET", "/app/", []string{"Cookie: " + cookieName + "=down"}, 503, "store-unavailable", "/app/"},
		{"PUT", "/read/", []string{asJane}, 403, "method", "/read/"},
		{"TRACE", "/app/", nil, 403, "method", "/app/"},
		{"GET", "/", nil, 403, "no-route", "/"},
		{"GET", "/app/", []string{"Host: evil.example", asJane}, 403, "no-route", "/app/"},
		{"GET", "/app/", []string{"Host: a..b"}, 403, "bad-host", "/app/"},
		{"GET", "/app/", []string{"Host: " + publicHost + ":x"}, 403, "bad-host", "/app/"},
		{"GET", "/public/../closed/", nil, 403, "bad-target", "/public/../closed/"},
		{"GET", "/../../public/", nil, 403, "bad-target", "/../../public/"},
		{"GET", "//public/", nil, 403, "bad-target", "//public/"},
		{"GET", "/public%2f", nil, 403, "bad-target", "/public%2f"},
		{"GET", "/public/#x", nil, 403, "bad-target", "/public/"},
		{"GET", `/public/..\`, nil, 403, "bad-target", `/public/..\`},
		{"GET", "/public/;a", nil, 403, "bad-target", "/public/"},
		{"GET", "/.auth/me", []string{asJane}, 403, "no-route", "/.auth/me"},
		{"GET", "/.auth/check/envoy/public/", nil, 403, "no-route", "/.auth/check/envoy/public/"},
		// The query is the client's.
		{"GET", "/else?policy=everybody", nil, 403, "no-route", "/else"},
		{"GET", "/app/?policy=everybody", []string{asJoe}, 403, "not-allowed", "/app/"},
		{"GET", "/public/?policy=admins&%zz&a;b", nil, 200, "public", "/public/"},
		{"GET", "/app/?redirect=true", []string{navigating}, 401, "no-credentials", "/app/"},
	} {
		res := h.send(t, test.method, prefix+test.target, test.lines...)
		wantCheck(t, res, test.status, test.reason)
		event := h.events.next(t)
		if event.Path != test.path || event.Method != test.method || event.Status != test.status || event.Reason != test.reason || event.Decision == "" {
			t.Errorf("%s %s: event %+v", test.method, test.target, event)
		}
		if t.Failed() {
			t.Fatalf("%s %s", test.method, test.target)
		}
	}
	res := h.get(t, prefix+"/app/?redirect=true", navigating)
	if got, want := res.Header.Get("X-Claimproxy-Sign-In"), "https://"+publicHost+"/.auth/sign-in?return_to=%2Fapp%2F%3Fredirect%3Dtrue"; got != want {
		t.Errorf("X-Claimproxy-Sign-In %q, want %q", got, want)
	}
	// A bad escape net/http itself refuses, before anybody is asked.
	if res := h.get(t, prefix+"/public/%zz"); res.StatusCode != 400 {
		t.Errorf("a bad escape: got %d", res.StatusCode)
	}
	// Without a slash, or in other words, it is an address where nobody asks.
	for _, target := range []string{prefix, prefix + "?x", prefix + "s/public/", "/.auth/%63heck/envoy/public/", "/.auth/check/", "/.auth/check/x"} {
		if res := h.get(t, target); !strings.HasPrefix(res.body, "own ") || res.Header["X-Forwarded-User"] != nil {
			t.Errorf("%s: got %d %q", target, res.StatusCode, res.body)
		}
	}
}

// TestWebsocketsOfOtherPagesAreRefusedToFrontProxies which pass the handshake on whole,
// without what is about the connection, or as Sec-WebSocket-Version alone.
func TestWebsocketsOfOtherPagesAreRefusedToFrontProxies(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for name, lines := range map[string][]string{
		"whole":                {"Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"},
		"end-to-end headers":   {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"},
		"connection: close":    {"Connection: close", "Upgrade: websocket"},
		"only the version":     {"Sec-WebSocket-Version: 13"},
		"with a body's length": {"Sec-WebSocket-Version: 13", "Content-Length: 0"},
	} {
		for origin, status := range map[string]int{
			"https://" + publicHost: 200, "https://" + publicHost + ":443": 200, "http://" + publicHost: 403,
			"https://evil.example": 403, "https://wiki.example.org": 403, "null": 403, "": 403,
		} {
			more := lines
			if origin != "" {
				more = with(lines, "Origin: "+origin)
			}
			res := h.get(t, "/.auth/check", questionOf("GET", publicHost, "/app/", with(more, asJane)...)...)
			wantCheck(t, res, status, map[int]Reason{200: "policy", 403: "not-allowed"}[status])
			// A token cannot be sent by somebody else's page.
			wantCheck(t, h.get(t, "/.auth/check", questionOf("GET", publicHost, "/app/", with(more, "Authorization: Bearer jane")...)...), 200, "policy")
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// What is no websocket needs no Origin.
	wantCheck(t, h.get(t, "/.auth/check", questionOf("GET", publicHost, "/app/", asJane, "Origin: https://evil.example")...), 200, "policy")
}

// TestHowAQuestionIsCarriedDoesNotMatter: its own method, its body and its protocol
// are not the request's.
func TestHowAQuestionIsCarriedDoesNotMatter(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"} {
		wantCheck(t, h.send(t, method, "/.auth/check", questionOf("GET", publicHost, "/read/", asJane)...), 200, "policy")
		wantCheck(t, h.send(t, method, "/.auth/check", questionOf("POST", publicHost, "/read/", asJane)...), 403, "method")
		wantCheck(t, h.send(t, method, "/.auth/check", questionOf("GET", publicHost, "/app/", navigating)...), 401, "no-credentials")
	}
	t.Run("a body", func(t *testing.T) {
		question := "POST /.auth/check HTTP/1.1\r\n" + strings.Join(questionOf("POST", publicHost, "/app/", asJane), "\r\n")
		for name, rest := range map[string]string{
			"whole":         "\r\nContent-Length: 4\r\n\r\nbody",
			"chunked":       "\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
			"never sent":    "\r\nContent-Length: 400000\r\n\r\n",
			"asked first":   "\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
			"with a second": "\r\nContent-Length: 5\r\n\r\nGET /.auth/check HTTP/1.1\r\n\r\n",
		} {
			res := h.raw(t, question+rest)
			wantCheck(t, res, 200, "policy")
			if !res.Close {
				t.Errorf("%s: the connection stays open", name)
			}
		}
	})
	t.Run("one connection", func(t *testing.T) {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		br := bufio.NewReader(c)
		for i, want := range []int{200, 403, 401, 400, 200} {
			lines := [][]string{
				questionOf("GET", publicHost, "/app/", asJane), questionOf("CONNECT", publicHost, "/app/"), questionOf("GET", publicHost, "/app/"),
				{"Host: x"}, questionOf("HEAD", publicHost, "/public/"),
			}[i]
			if _, err := io.WriteString(c, "GET /.auth/check HTTP/1.1\r\n"+strings.Join(append(lines, "\r\n"), "\r\n")); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(br, nil)
			if err != nil || res.StatusCode != want {
				t.Fatalf("question %d: got %v, %v; want %d", i, res, err, want)
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		server := httptest.NewUnstartedServer(h.proxy)
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} // the server is this test's
		defer tr.CloseIdleConnections()
		for _, test := range []struct {
			target string
			lines  []string
			status int
		}{
			{"/.auth/check", questionOf("GET", publicHost, "/app/", asJane)[1:], 200},
			{"/.auth/check", questionOf("GET", publicHost, "/app/", asJoe)[1:], 403},
			{"/.auth/check", questionOf("GET", publicHost, "/app/%zz", asJane)[1:], 403},
			{"/.auth/check", questionOf("GET", publicHost, "/app/", asJane, "Sec-WebSocket-Version: 13", "Origin: https://evil.example")[1:], 403},
			{"/.auth/check/envoy/app/", []string{asJane}, 200},
			{"/.auth/check/envoy/app/..%2f", []string{asJane}, 403},
		} {
			req, _ := http.NewRequest("GET", server.URL, nil)
			req.Host, req.URL.Opaque = publicHost, test.target
			for _, l := range test.lines {
				name, value, _ := strings.Cut(l, ": ")
				req.Header.Add(name, value)
			}
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.ProtoMajor != 2 || res.StatusCode != test.status {
				t.Errorf("%s %q: got %s %d, want %d", test.target, test.lines, res.Proto, res.StatusCode, test.status)
			}
		}
	})
}
