package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The tests here have programs of others speak to claimproxy: wrk and h2load, which measure
// servers, and nghttp, which shows every frame.

// newSecured is a changing site that speaks TLS, and has been started.
func newSecured(t *testing.T) *changing {
	t.Helper()
	c := newChanging(t)
	c.url = strings.Replace(c.url, "http:", "https:", 1)
	c.config = strings.Replace(c.config, "public_url: http:", "public_url: https:", 1) + "tls: {cert: {{.Dir}}/cert.pem, key: {{.Dir}}/key.pem}\n"
	c.certificate("localhost")
	c.start()
	return c
}

// tell runs a program to its end and returns what it says.
func tell(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, clip(string(out)))
	}
	return string(out)
}

func TestWrkSeesNoErrorOverTLS(t *testing.T) {
	t.Parallel()
	need(t, wrk)
	c := newSecured(t)
	for _, tc := range []struct {
		name, token string
		refused     bool
	}{{"a developer", c.ada, false}, {"a visitor", c.bob, true}} {
		out := tell(t, "wrk", "-t2", "-c32", "-d2s", "--timeout", "30s", "-H", "Authorization: Bearer "+tc.token, c.url+"/developers/x?a=b")
		m := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(out)
		if m == nil || len(m[1]) < 3 || strings.Contains(out, "Socket errors") {
			t.Errorf("%s: wrk says\n%s", tc.name, out)
			continue
		}
		refused := "0"
		if m := regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`).FindStringSubmatch(out); m != nil {
			refused = m[1]
		}
		want := "0"
		if tc.refused {
			want = m[1]
		}
		if refused != want {
			t.Errorf("%s: of %s requests %s were refused, want %s", tc.name, m[1], refused, want)
		}
	}
}

func TestH2loadSeesNoError(t *testing.T) {
	t.Parallel()
	need(t, nghttp2)
	c := newSecured(t)
	const n = 3000
	body := c.write("body", strings.Repeat("0123456789abcdef", 4096)) // 64 KiB, a whole window
	for _, tc := range []struct {
		name, token string
		args        []string
		class       int // of the statuses: 2 for 2xx
	}{
		{"many streams", c.ada, []string{"-n", strconv.Itoa(n), "-c", "10", "-m", "50"}, 2},
		{"bodies", c.ada, []string{"-n", strconv.Itoa(n / 10), "-c", "5", "-m", "20", "-d", body}, 2},
		{"small windows", c.ada, []string{"-n", strconv.Itoa(n / 10), "-c", "5", "-m", "20", "-w", "10", "-W", "12", "-d", body}, 2},
		{"HTTP/1.1", c.ada, []string{"-n", strconv.Itoa(n), "-c", "20", "--h1"}, 2},
		{"a visitor", c.bob, []string{"-n", strconv.Itoa(n), "-c", "10", "-m", "50"}, 4},
	} {
		out := tell(t, append(append([]string{"h2load"}, tc.args...), "-H", "authorization: Bearer "+tc.token, c.url+"/developers/x")...)
		total := tc.args[1]
		if !strings.Contains(out, fmt.Sprintf(" %s done,", total)) || !strings.Contains(out, "0 errored, 0 timeout") {
			t.Errorf("%s: h2load says\n%s", tc.name, out)
		}
		m := regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`).FindStringSubmatch(out)
		if m == nil || m[tc.class-1] != total {
			t.Errorf("%s: got %v, want %s answers of %dxx", tc.name, m, total, tc.class)
		}
	}
}

// nghttp sends requests as nghttp does, and returns the statuses in the order of their
// coming and everything that was seen.
func (c *changing) nghttp(t *testing.T, args ...string) (statuses []string, seen string) {
	t.Helper()
	seen = tell(t, append([]string{"nghttp", "-v", "--no-verify-peer", "-H", "authorization: Bearer " + c.ada}, args...)...)
	for _, m := range regexp.MustCompile(`:status: (\d+)`).FindAllStringSubmatch(regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(seen, ""), -1) {
		statuses = append(statuses, m[1])
	}
	return statuses, seen
}

func TestOddHTTP2(t *testing.T) {
	t.Parallel()
	need(t, nghttp2)
	c := newSecured(t)
	address := c.url + "/developers/x"
	body := c.write("body", "a body")
	other := "other.example.test:" + mustParse(t, c.url).Port()
	for _, tc := range []struct {
		name string
		args []string
		want string // the statuses
	}{
		{"nothing odd", []string{address}, "200"},
		{"no pushes", []string{"--no-push", address}, "200"},
		{"weights and several streams", []string{"--weight=1", "--weight=256", "--weight=16", address, address + "?2", address + "?3"}, "200 200 200"},
		{"no dependencies", []string{"--no-dep", address}, "200"},
		{"padding", []string{"-b", "255", "-d", body, address}, "200"},
		{"headers that need CONTINUATION", []string{"-H", "x-long: " + strings.Repeat("a", 40<<10), address}, "200"},
		{"a tiny table of headers", []string{"-c", "0", address, address + "?2"}, "200 200"},
		{"a trailer", []string{"-d", body, "--trailer", "x-checksum: 1", address}, "200"},
		{"an identity in a trailer", []string{"-d", body, "--trailer", "x-forwarded-user: admin", address}, "200"},
		{"an authority that is no host of ours", []string{"-H", ":authority: " + other, address}, "404"},
		{"Host beside another authority", []string{"-H", "host: " + other, address}, "421"},
		{"Host like the authority", []string{"-H", "host: " + mustParse(t, c.url).Host, address}, "200"},
		{"another scheme", []string{"-H", ":scheme: http", address}, "200"},
		{"a path that climbs", []string{"-H", ":path: /public/../developers/x", address}, "400"},
		{"a path with an encoded slash", []string{"-H", ":path: /public/..%2fdevelopers/x", address}, "400"},
		{"a method of its own", []string{"-H", ":method: PURGE", address}, "200"},
		{"TRACE", []string{"-H", ":method: TRACE", address}, "405"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			statuses, seen := c.nghttp(t, tc.args...)
			if got := strings.Join(statuses, " "); got != tc.want {
				t.Fatalf("got %q, want %q\n%s", got, tc.want, clip(seen))
			}
			if tc.name == "a trailer" && !strings.Contains(seen, `"trailer":{"X-Checksum":["1"]}`) {
				t.Errorf("the trailer has not come through:\n%s", clip(seen))
			}
			if strings.Contains(seen, "PUSH_PROMISE") || strings.Contains(seen, `["admin"]`) {
				t.Errorf("got\n%s", clip(seen))
			}
		})
	}
}

// TestHTTP2WithoutTLSHasOneHost: no server name tells which of two hosts was meant, so both
// have to be the same.
func TestHTTP2WithoutTLSHasOneHost(t *testing.T) {
	t.Parallel()
	need(t, nghttp2)
	c := newChanging(t)
	c.start()
	for host, want := range map[string]string{
		"other.example.test":     `"code":"bad-host"`,
		mustParse(t, c.url).Host: `"X-Forwarded-User":["ada"]`,
		"LOCALHOST.:" + c.Port(): `"X-Forwarded-User":["ada"]`,
		"localhost@evil.example": `"code":"bad-host"`,
	} {
		if statuses, seen := c.nghttp(t, "-H", "host: "+host, c.url+"/developers/x"); len(statuses) != 1 || !strings.Contains(seen, want) {
			t.Errorf("%q: got\n%s\nwant %s", host, clip(seen), want)
		}
	}
}
