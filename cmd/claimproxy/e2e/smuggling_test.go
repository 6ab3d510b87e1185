package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRequestsWithTwoReadingsAtTheBinary: what servers have read in two ways, sent to the
// program as it runs. An application sees nothing of what is refused, and of the rest
// no second request and no forged identity.
func TestRequestsWithTwoReadingsAtTheBinary(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	recorder := newRecorder(t)
	s.Recorder = recorder.url
	s.start()
	token := "Authorization: Bearer " + s.native("native-public", "").signIn(people()["alice"]).Access + "\r\n"
	address := strings.TrimPrefix(s.url, "http://")
	host := "Host: " + address + "\r\n"
	const smuggled = "GET /recorder/smuggled HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: admin\r\n\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"length and chunked":        {"POST /recorder/ HTTP/1.1\r\n" + host + token + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, 200},
		"two lengths":               {"POST /recorder/ HTTP/1.1\r\n" + host + token + "Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + smuggled, 400},
		"an encoding in disguise":   {"POST /recorder/ HTTP/1.1\r\n" + host + token + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, 501},
		"blank before the colon":    {"GET /recorder/ HTTP/1.1\r\n" + host + token + "X-Forwarded-User : admin\r\n\r\n", 400},
		"folded line":               {"GET /recorder/ HTTP/1.1\r\n" + host + token + "X-A: b\r\n X-Forwarded-User: admin\r\nConnection: close\r\n\r\n", 200},
		"bare line feeds":           {"GET /recorder/ HTTP/1.1\n" + strings.ReplaceAll(host+token, "\r", "") + "X-Forwarded-User: admin\nConnection: close\n\n", 200},
		"two hosts":                 {"GET /recorder/ HTTP/1.1\r\n" + host + "Host: evil.example\r\n" + token + "\r\n", 400},
		"absolute-form":             {"GET http://evil.example/recorder/ HTTP/1.1\r\n" + host + token + "\r\n", 400},
		"a refused body":            {"POST /recorder/ HTTP/1.1\r\n" + host + "Content-Length: 70\r\n\r\n" + smuggled, 401},
		"HTTP/2 in the clear asked": {"GET /recorder/ HTTP/1.1\r\n" + host + token + "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			before := recorder.count()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, test.request); err != nil {
				t.Fatal(err)
			}
			br := bufio.NewReader(c)
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status {
				t.Errorf("got %d, want %d\n%s", resp.StatusCode, test.status, body)
			}
			_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			if rest, _ := io.ReadAll(br); strings.Contains(string(rest), "200 OK") {
				t.Errorf("there is a second answer: %s", rest)
			}
			want := 0
			if test.status == http.StatusOK {
				want = 1
				if strings.Contains(string(body), "admin") && !strings.Contains(string(body), "b X-Forwarded-User: admin") {
					t.Errorf("the application believes %s", body)
				}
			}
			if got := recorder.count() - before; got != want {
				t.Errorf("%d requests reached the application, want %d", got, want)
			}
		})
	}
}
