package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFurtherRequestsWithTwoReadings (class SMG): what is refused is refused before an
// upstream hears of it, and what passes has one reading.
func TestFurtherRequestsWithTwoReadings(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	const host = "Host: " + publicHost + "\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"two hosts":                       {"GET /public/ HTTP/1.1\r\n" + host + "Host: other.example.org\r\n\r\n", 400},
		"two hosts that are the same":     {"GET /public/ HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"no host":                         {"GET /public/ HTTP/1.1\r\n\r\n", 400},
		"a folded host":                   {"GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n .evil.example\r\n\r\n", 400},
		"absolute-form":                   {"GET http://" + publicHost + "/public/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"absolute-form for another host":  {"GET http://evil.example/public/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"a list of lengths":               {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4, 4\r\n\r\nbody", 400},
		"lengths that differ in a list":   {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4, 40\r\n\r\nbody", 400},
		"a length in hexadecimal":         {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 0x4\r\n\r\nbody", 400},
		"an empty length":                 {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", 400},
		"a length above all":              {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
		"two encodings in a list":         {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"an encoding behind a tab":        {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400},
		"an encoding on HTTP/1.0":         {"POST /public/ HTTP/1.0\r\n" + host + chunked + "4\r\nbody\r\n0\r\n\r\n", 200},
		"a name that is empty":            {"GET /public/ HTTP/1.1\r\n" + host + ": x\r\n\r\n", 400},
		"a name with a blank":             {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded User: admin\r\n\r\n", 400},
		"a line without a colon":          {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded-User\r\n\r\n", 400},
		"a first line that is folded":     {"GET /public/ HTTP/1.1\r\n X-Forwarded-User: admin\r\n" + host + "\r\n", 400},
		"a space in the target":           {"GET /public/ /admin/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"a tab in the request line":       {"GET\t/public/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"a header above the limit":        {"GET /public/ HTTP/1.1\r\n" + host + "X-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", 431},
		"a request line above the limit":  {"GET /public/" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\n" + host + "\r\n", 431},
		"a chunk whose length is too big": {"POST /public/ HTTP/1.1\r\n" + host + chunked + "11111111111111111\r\n", 0},
		"a chunk whose length is signed":  {"POST /public/ HTTP/1.1\r\n" + host + chunked + "-1\r\n\r\n", 0},
		"a chunk that ends elsewhere":     {"POST /public/ HTTP/1.1\r\n" + host + chunked + "2\r\nbody\r\n0\r\n\r\n", 0},
		"extensions without end":          {"POST /public/ HTTP/1.1\r\n" + host + chunked + "1;" + strings.Repeat("a", 1<<20) + "\r\nb\r\n0\r\n\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			u.took()
			status := h.statusOf(t, test.request)
			// A body that is none breaks off a request that is on its way: there may be an
			// answer of the upstream, never one that takes what follows for a request.
			if test.status != 0 && status != test.status {
				t.Errorf("got %d, want %d", status, test.status)
			}
			if test.status >= 400 {
				u.none(t)
			}
			for _, head := range u.took() {
				if strings.Contains(head, "admin") || strings.Contains(head, "evil.example") {
					t.Errorf("the upstream got\n%s", head)
				}
			}
		})
	}
}

// statusOf sends bytes and returns the status of the answer, 0 for none.
func (h *house) statusOf(t testing.TB, request string) int {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	go func() { _, _ = io.WriteString(c, request) }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestAnswersWithTwoReadings: what an upstream sends cannot become another answer, to this
// client or the next on the same connection, nor set a cookie of ours by a side way.
func TestAnswersWithTwoReadings(t *testing.T) {
	const ours = "Set-Cookie: " + cookieName + "=stolen"
	for name, test := range map[string]struct {
		answer string
		status int
	}{
		"a carriage return in a value": {"HTTP/1.1 200 OK\r\nX-A: b\r" + ours + "\r\nContent-Length: 0\r\n\r\n", 502},
		"a NUL in a value":             {"HTTP/1.1 200 OK\r\nX-A: b\x00c\r\nContent-Length: 0\r\n\r\n", 502},
		"a blank before the colon":     {"HTTP/1.1 200 OK\r\nSet-Cookie : " + cookieName + "=stolen\r\nContent-Length: 0\r\n\r\n", 200},
		"two lengths":                  {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody5", 502},
		"an encoding that is none":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nbody", 502},
		"no status":                    {"HTTP/1.1 \r\n\r\n", 502},
		"what is no HTTP":              {"SSH-2.0-OpenSSH_9.2\r\n", 502},
		"length and chunked":           {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 200},
		"a folded cookie":              {"HTTP/1.1 200 OK\r\nSet-Cookie:\r\n " + cookieName + "=stolen\r\nContent-Length: 0\r\n\r\n", 200},
		"a cookie in a trailer":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n0\r\n" + ours + "\r\n\r\n", 200},
		"a trailer that is unsaid":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + ours + "\r\n\r\n", 200},
		"a cookie in early hints":      {"HTTP/1.1 103 Early Hints\r\n" + ours + "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200},
		"an answer too many":           {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n" + ours + "\r\nContent-Length: 6\r\n\r\npoison", 200},
	} {
		t.Run(name, func(t *testing.T) {
			u := newWire(t)
			h := openHouse(t, u)
			u.say(test.answer)
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			br := bufio.NewReader(c)
			const request = "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\nTE: trailers\r\n\r\n"
			for i := range 2 {
				if i == 1 {
					u.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
				}
				if _, err := io.WriteString(c, request); err != nil {
					t.Fatal(err)
				}
				res, err := http.ReadResponse(br, nil)
				for err == nil && res.StatusCode == 103 {
					if strings.Contains(strings.Join(res.Header["Set-Cookie"], ""), cookieName) {
						t.Error("early hints set a cookie of ours")
					}
					res, err = http.ReadResponse(br, nil)
				}
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				for _, fields := range []http.Header{res.Header, res.Trailer} {
					for name, values := range fields {
						if strings.Contains(strings.Join(values, ""), "stolen") {
							t.Errorf("answer %d sets a cookie of ours: %q: %q", i, name, values)
						}
					}
				}
				switch {
				case i == 0 && res.StatusCode != test.status:
					t.Errorf("got %d, want %d", res.StatusCode, test.status)
				case i == 1 && (res.StatusCode != 200 || string(body) != "next"):
					t.Errorf("the next request got %d %q", res.StatusCode, body)
				case strings.Contains(string(body), "stolen"), strings.Contains(string(body), "poison"):
					t.Errorf("answer %d: %q", i, body)
				}
			}
			if n := br.Buffered(); n != 0 {
				rest, _ := br.Peek(n)
				t.Errorf("after the answers there is %q", rest)
			}
		})
	}
	if got, want := setCookieName("\t"+cookieName+"=x"), cookieName; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
