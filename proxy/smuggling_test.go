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

// TestRequestsWithTwoReadings sends what peers were led to read as another number of
// requests, or other headers, than the servers behind them (trap 10, class SMG).
// net/http refuses most of it; the rest reaches the upstream in one reading.
func TestRequestsWithTwoReadings(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	const host = "Host: " + publicHost + "\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
		// check looks at the one head that reached the upstream, if the status is 200.
		check func(t *testing.T, head string)
	}{
		"two lengths": {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody5", 400, nil},
		"length and chunked": {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 200, func(t *testing.T, head string) {
			if values(head, "Content-Length") != nil || !cmp.Equal(values(head, "Transfer-Encoding"), []string{"chunked"}) {
				t.Errorf("the upstream got both, or neither:\n%s", head)
			}
		}},
		"encoding that only ends alike": {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, nil},
		"encoding twice":                {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501, nil},
		"negative length":               {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400, nil},
		"length with a sign":            {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: +4\r\n\r\nbody", 400, nil},
		"blank before the colon":        {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded-User : admin\r\n\r\n", 400, nil},
		"NUL in a value":                {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\x00c\r\n\r\n", 400, nil},
		"carriage return in a value":    {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\rX-Forwarded-User: admin\r\n\r\n", 400, nil},
		"letters outside ASCII":         {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded-\xc3\x9cser: admin\r\n\r\n", 400, nil},
		"folded line": {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\r\n X-Forwarded-User: admin\r\n\r\n", 200, func(t *testing.T, head string) {
			if values(head, "X-Forwarded-User") != nil || !cmp.Equal(values(head, "X-A"), []string{"b X-Forwarded-User: admin"}) {
				t.Errorf("the upstream got\n%s", head)
			}
		}},
		"bare line feeds": {"GET /public/ HTTP/1.1\nHost: " + publicHost + "\nX-A: b\nX-Forwarded-User: admin\n\n", 200, func(t *testing.T, head string) {
			if strings.Contains(head, "admin") || strings.Count(head, "\n") != strings.Count(head, "\r\n") {
				t.Errorf("the upstream got\n%q", head)
			}
		}},
		"unknown version": {"GET /public/ HTTP/3.0\r\n" + host + "\r\n", 505, nil},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.raw(t, test.request)
			if res.StatusCode != test.status {
				t.Errorf("got %d, want %d", res.StatusCode, test.status)
			}
			if test.status != 200 {
				u.none(t)
				return
			}
			test.check(t, u.one(t))
		})
	}
}

// TestPipelinedRequestsAreDecidedOneByOne: what follows a public request on its
// connection is no less a request.
func TestPipelinedRequestsAreDecidedOneByOne(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	const host = "Host: " + publicHost + "\r\n"
	_, _ = io.WriteString(c, "POST /public/ HTTP/1.1\r\n"+host+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
		"GET /admin/ HTTP/1.1\r\n"+host+"\r\n"+
		"GET /x HTTP/1.1\r\n"+host+"Authorization: Bearer jane\r\n\r\n"+
		"GET /public/2 HTTP/1.1\r\n"+host+"Connection: close\r\n\r\n")
	br := bufio.NewReader(c)
	for i, want := range []int{200, 403, 200, 200} {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != want {
			t.Errorf("answer %d: got %d, want %d", i, res.StatusCode, want)
		}
		if res.Close {
			// Length and chunked together end the connection: nothing that follows
			// is read at all.
			return
		}
	}
}
