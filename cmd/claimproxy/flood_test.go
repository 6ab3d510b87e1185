package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

const (
	attacker = "203.0.113.7"
	neighbor = "203.0.113.8"
)

// fronted believes this machine about addresses, so that a test can have several.
const fronted = "trusted_proxies: 127.0.0.0/8\nadmin: {listen: 127.0.0.1:0}\n"

// from sends a request that comes from an address, with a token if there is one.
func (r *running) from(client, token, path string) (int, http.Header) {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.public+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Host = "localhost"
	req.Header.Set("X-Forwarded-For", client)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header
}

// TestTokenGuessingFloodFromOneAddress through the whole program: the provider is spared,
// a colleague behind the same address whose token is known goes on, and so do all others.
// It is counted, logged once, and written down each time.
func TestTokenGuessingFloodFromOneAddress(t *testing.T) {
	r := start(t, echo, fronted+"audit: {stdout: true}\nlimits: {failed_tokens_per_minute: 20}\n", routes)
	colleague := r.provider.Issue("ada", "web", "openid profile").AccessToken
	if status, _ := r.from(attacker, colleague, "/developers/"); status != http.StatusOK {
		t.Fatalf("the colleague: got %d", status)
	}
	before := heap()
	statuses := map[int]int{}
	for i := range 500 {
		status, header := r.from(attacker, fmt.Sprintf("guess-%d", i), "/developers/")
		statuses[status]++
		if status == http.StatusTooManyRequests && header.Get("Retry-After") == "" {
			t.Fatal("it is not said when to come back")
		}
	}
	// Some of the twenty come back while the flood takes its time.
	if statuses[401] < 20 || statuses[401] > 60 || statuses[401]+statuses[429] != 500 {
		t.Errorf("got %v, want some twenty times 401 and 429 for the others", statuses)
	}
	if asked := r.provider.Calls(devprovider.Introspection) + r.provider.Calls(devprovider.UserInfo) + r.provider.Calls(devprovider.TokenInfo); asked > 3*statuses[401]+3 {
		t.Errorf("the provider was asked %d times", asked)
	}
	if status, _ := r.from(attacker, colleague, "/developers/"); status != http.StatusOK {
		t.Errorf("the colleague, in the middle of it: got %d", status)
	}
	if status, _ := r.from(neighbor, r.provider.Issue("ada", "web", "openid profile").AccessToken, "/developers/"); status != http.StatusOK {
		t.Errorf("somebody elsewhere: got %d", status)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	r.wantMetric(fmt.Sprintf(`claimproxy_limited_total{limit="failed_tokens_per_minute"} %d`, statuses[429]))
	if n := strings.Count(r.stderr.String(), `"a limit is met"`); n != 1 {
		t.Errorf("the log says so %d times, want once", n)
	}
	r.stop()
	n := 0
	for _, e := range entries(t, r.stdout.String()) {
		if e.Reason == "too-many-requests" && e.Status == 429 && e.Decision == "deny" {
			n++
		}
	}
	if n != statuses[429] {
		t.Errorf("%d of %d are in the audit log", n, statuses[429])
	}
}

// TestSignInFloodLeavesNothingBehind: neither here nor in the browser does what has begun
// pile up, and a reload that sets another limit is minded at once.
func TestSignInFloodLeavesNothingBehind(t *testing.T) {
	r := start(t, echo, fronted+"limits: {sign_ins_per_minute: 0}\n", routes)
	jar, _ := cookiejar.New(nil)
	r.client.Jar = jar
	r.from(attacker, "", "/.auth/start/idp") // the provider is known then
	before := heap()
	for i := range 1000 {
		status, header := r.from(attacker, "", "/.auth/start/idp?return_to=/developers/")
		if status != http.StatusFound {
			t.Fatalf("sign-in %d: got %d", i, status)
		}
		if n := len(header.Values("Set-Cookie")); n > 20 {
			t.Fatalf("sign-in %d: %d cookies are set", i, n)
		}
	}
	home, _ := url.Parse(r.public)
	if n := len(jar.Cookies(home)); n > 5 {
		t.Errorf("the browser keeps %d attempts, want five", n)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "sign_ins_per_minute: 0", "sign_ins_per_minute: 3", 1))
	if err := os.WriteFile(r.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new limit is minded", func() bool {
		status, _ := r.from(attacker, "", "/.auth/start/idp")
		return status == http.StatusTooManyRequests
	})
	if status, _ := r.from(neighbor, "", "/.auth/start/idp"); status != http.StatusFound {
		t.Errorf("somebody else: got %d", status)
	}
	if status, _ := r.from(attacker, "", "/.auth/sign-in"); status != http.StatusFound {
		t.Errorf("another page: got %d", status)
	}
}

// TestFloodFromManyAddresses: neither the memory nor the log grows with them.
func TestFloodFromManyAddresses(t *testing.T) {
	r := start(t, echo, fronted+"limits: {sign_ins_per_minute: 1}\n", routes)
	r.from(attacker, "", "/.auth/start/idp")
	before := heap()
	for i := range 2000 {
		client := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i)}).String()
		r.from(client, "", "/.auth/start/idp")
		if status, _ := r.from(client, "", "/.auth/start/idp"); status != http.StatusTooManyRequests {
			t.Fatalf("%s: got %d", client, status)
		}
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	if n := strings.Count(r.stderr.String(), `"a limit is met"`); n != maxLimited {
		t.Errorf("the log names %d addresses, want %d", n, maxLimited)
	}
	if n := strings.Count(r.stderr.String(), `"further addresses meet limits`); n != 1 {
		t.Errorf("the log says %d times that there are more, want once", n)
	}
}

// TestHugeRequestLine is answered with 431: net/http counts it with the header.
func TestHugeRequestLine(t *testing.T) {
	r := start(t, echo, "limits: {header_bytes: 16KiB}\n", routes)
	for length, want := range map[int]string{100: "200", 12 << 10: "200", 30 << 10: "431", 1 << 20: "431"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			_, _ = io.WriteString(conn, "GET /open/"+strings.Repeat("a", length)+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		}()
		var b [12]byte
		_, _ = io.ReadFull(conn, b[:])
		if got := string(b[9:]); got != want {
			t.Errorf("%d bytes: got %q, want %s", length, b, want)
		}
		conn.Close()
	}
}
