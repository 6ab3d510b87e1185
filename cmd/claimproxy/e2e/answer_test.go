package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answer is a response, read to its end.
type answer struct {
	method string
	url    *url.URL
	status int
	header http.Header
	body   string
}

// plainClient sends what it is told to, follows no redirect, keeps no cookie and
// opens a connection for each request, so that servers may come and go.
var plainClient = newClient(nil)

func newClient(jar http.CookieJar) *http.Client {
	return &http.Client{
		Jar:           jar,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// Every name is this machine: localhost need not be in its hosts file,
			// and need not mean ::1 first.
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
			},
		},
	}
}

// send does one request and reads the response.
func send(t testing.TB, client *http.Client, req *http.Request) *answer {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the response: %v", req.Method, req.URL, err)
	}
	return &answer{method: req.Method, url: req.URL, status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// request makes a request with header lines of the form "Name: value".
func request(t testing.TB, method, target string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("header line %q: want Name: value", line)
		}
		req.Header.Add(name, strings.TrimSpace(value))
	}
	return req
}

// get sends a GET request as a program without cookies does.
func get(t testing.TB, target string, headers ...string) *answer {
	t.Helper()
	return send(t, plainClient, request(t, http.MethodGet, target, nil, headers...))
}

// postForm sends a form as a program without cookies does.
func postForm(t testing.TB, target string, form url.Values, headers ...string) *answer {
	t.Helper()
	req := request(t, http.MethodPost, target, strings.NewReader(form.Encode()), headers...)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(t, plainClient, req)
}

// location returns where an answer leads by itself, as a redirect or a page that goes on;
// nil when it does not.
func (a *answer) location() *url.URL {
	place, refreshes := strings.CutPrefix(a.header.Get("Refresh"), "0; url=")
	if !refreshes {
		place = a.header.Get("Location")
	}
	if place == "" || !refreshes && (a.status < 300 || a.status > 399) {
		return nil
	}
	to, err := a.url.Parse(place)
	if err != nil {
		return nil
	}
	return to
}

// decode reads the body as JSON.
func (a *answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%s %s: status %d, body is not the JSON that is wanted: %v\n%s", a.method, a.url, a.status, err, a.body)
	}
}

// claims reads the body as a JSON object.
func (a *answer) object(t testing.TB) map[string]any {
	t.Helper()
	var o map[string]any
	a.decode(t, &o)
	return o
}

// cookie returns the cookie of that name that the answer sets, nil if none.
func (a *answer) cookie(name string) *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// wantStatus fails the test when the answer has another status.
func (a *answer) wantStatus(t testing.TB, want int) *answer {
	t.Helper()
	if a.status != want {
		t.Fatalf("%s %s: got status %d, want %d\n%v\n%s", a.method, a.url, a.status, want, a.header, clip(a.body))
	}
	return a
}

// wantText fails the test when the body lacks one of the texts.
func (a *answer) wantText(t testing.TB, texts ...string) *answer {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: the body lacks %q\n%s", a.method, a.url, text, clip(a.body))
		}
	}
	return a
}

func clip(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// soon is how long a test waits for what should happen within a second or two.
const soon = 15 * time.Second

// rawRequest writes bytes to a site's port, for what no HTTP client would send,
// and returns the response.
func rawRequest(t testing.TB, s *site, raw string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}
