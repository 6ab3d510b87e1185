package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBothWaysAreOne: what the upstream gets, and what the client gets, is the same byte
// for byte, but for the order of fields, whether a request is carried the short way or by ReverseProxy.
func TestBothWaysAreOne(t *testing.T) {
	u := newWire(t)
	routes := func(r rules) []Route {
		return []Route{
			{Path: "/public/", Allow: r.of("public"), Upstream: u.upstream()},
			{Path: "/", SignIn: Browser | Bearer, Allow: r.of("signed-in"), Upstream: u.upstream()},
		}
	}
	short := build(t, routes(newRules(t)), nil)
	long := build(t, routes(newRules(t)), func(c *Config) { c.Connections = &Connections{Standard: true} })
	if !short.proxy.upstreams[short.config.Table.routes[0].Upstream].short || long.proxy.upstreams[long.config.Table.routes[0].Upstream].short {
		t.Fatal("the two do not differ")
	}
	requests := map[string][]string{
		"plain":            {},
		"no user agent":    {"User-Agent:"},
		"a user agent":     {"User-Agent: x"},
		"connection":       {"Connection: close, X-Gone, x-forwarded-user , Authorization", "X-Gone: a", "X-Stays: b", "Keep-Alive: 1"},
		"forged":           {"X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Forwarded-User: admin", "X_Forwarded_User: admin", "X-Request-Id: x", "X-Original-URL: /a"},
		"hop by hop":       {"Proxy-Connection: x", "Proxy-Authorization: Basic x", "Trailer: A", "TE: trailers, gzip", "Upgrade: h2c", "Http2-Settings: x", "Connection: Upgrade"},
		"several lines":    {"Accept: a", "accept: b", "Cookie: a=b", "cookie: c=d; " + cookieName + "=jane; e=f"},
		"a session":        {"Cookie: " + cookieName + "=jane"},
		"a token":          {"Authorization: Bearer jane"},
		"another scheme":   {"Authorization: Basic YTpi"},
		"conditional":      {"If-None-Match: \"x\"", "Range: bytes=0-1", "Accept-Encoding: gzip", "Cache-Control: no-cache"},
		"expects":          {"Expect: 100-continue"},
		"an empty value":   {"X-Empty:", "X-Blank:   "},
		"letters of a set": {"X-A: \u00e4\u2028"},
	}
	answers := map[string]string{
		"plain":           "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream",
		"headers":         "HTTP/1.1 203 x\r\nConnection: X-Gone\r\nX-Gone: a\r\nX-Stays: b\r\nX-Stays: c\r\nX-Request-Id: theirs\r\nKeep-Alive: 1\r\nContent-Length: 1\r\nDate: x\r\nServer: y\r\n\r\nx",
		"cookies":         "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: " + cookieName + "=evil\r\nContent-Length: 1\r\n\r\nx",
		"chunked":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n",
		"trailers":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A, Set-Cookie\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nSet-Cookie: " + cookieName + "=evil\r\n\r\n",
		"silent trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nA: c\r\n\r\n",
		"empty":           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"no content":      "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
		"not modified":    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n",
		"moved":           "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		"hints":           "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: " + cookieName + "=evil\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"events":          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: x\n\n",
		"switches":        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
		"no status":       "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n",
		"no http":         "SSH-2.0\r\n\r\n",
		"two lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
	}
	for asked, lines := range requests {
		for said, answer := range answers {
			if asked != "plain" && said != "plain" && said != "trailers" && said != "hints" {
				continue
			}
			for _, method := range []string{"GET", "HEAD"} {
				if method == "HEAD" && said == "hints" { // of answers to HEAD, wire says the first header alone
					continue
				}
				for _, target := range []string{"/public/a%20b?x=%zz&y", "/p"} {
					t.Run(fmt.Sprint(method, " ", target, ", ", asked, ", ", said), func(t *testing.T) {
						u.say(answer)
						request := method + " " + target + " HTTP/1.1\r\nHost: " + publicHost + "\r\n" + strings.Join(append(lines, "\r\n"), "\r\n")
						by := func(h *house) (all []string) {
							all = append(all, answersTo(t, h, request)...)
							for _, head := range u.took() {
								all = append(all, byName(changing.ReplaceAllString(head, "$1")))
							}
							return all
						}
						if diff := cmp.Diff(by(long), by(short)); diff != "" {
							t.Errorf("(-ReverseProxy +short way):\n%s", diff)
						}
					})
				}
			}
		}
	}
}

var changing = regexp.MustCompile(`(?mi)^(X-Request-Id|Date): \w[^\r\n]*|"request_id":"\w+"|Request <code>\w+`)

// byName sorts the fields of a header by their names: the order of those of one name means
// something, and no other (RFC 9110 section 5.3).
func byName(head string) string {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	slices.SortStableFunc(lines[1:], func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return strings.Join(lines, "\r\n")
}

// answersTo tells all of the answers to one request, but for what is never the same.
func answersTo(t *testing.T, h *house, request string) (all []string) {
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return append(all, "broken off")
		}
		body, err := io.ReadAll(res.Body)
		ids, date := len(res.Header["X-Request-Id"]), len(res.Header["Date"])
		delete(res.Header, "X-Request-Id")
		delete(res.Header, "Date")
		if names := res.Header["Trailer"]; len(names) == 1 {
			names[0] = strings.Join(slices.Sorted(strings.SplitSeq(names[0], ", ")), ", ") // they come in any order
		}
		all = append(all, changing.ReplaceAllString(fmt.Sprint(res.Status, " ", res.Proto, " ", res.Header, " ", res.ContentLength, res.TransferEncoding, res.Close, res.Trailer, ids, date, err, " ", string(body)), ""))
		if res.StatusCode >= 200 {
			return all
		}
	}
}

// TestNothingIsHeldBackOnTheShortWay: a client has the header before there is a body, and
// each part of the body before there is the next, whether its length is known or not.
func TestNothingIsHeldBackOnTheShortWay(t *testing.T) {
	for name, header := range map[string]string{"length": "Content-Length: 2", "until the end": "Connection: close", "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			goOn := make(chan struct{})
			s := newScript(t, 0, func(p *played) {
				part := func(text string) string {
					if name == "chunked" {
						return "1\r\n" + text + "\r\n"
					}
					return text
				}
				p.head()
				for _, text := range []string{"HTTP/1.1 200 OK\r\n" + header + "\r\n\r\n", part("a"), part("b")} {
					p.say(text)
					<-goOn
				}
				if name == "chunked" {
					p.say("0\r\n\r\n")
				}
			})
			h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: &Upstream{URLs: s.urls}}}, nil)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+h.addr, nil)
			r.Host = publicHost
			client := &http.Client{Timeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			goOn <- struct{}{}
			for _, want := range "ab" {
				b := make([]byte, 1)
				if _, err := io.ReadFull(res.Body, b); err != nil || rune(b[0]) != want {
					t.Fatalf("got %q, %v, want %q", b, err, want)
				}
				goOn <- struct{}{}
			}
			if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
				t.Errorf("got %q, %v", rest, err)
			}
		})
	}
}

// TestTheTypeOfAnAnswerIsNotGuessed: what an upstream calls nothing is not called HTML on
// the way, whatever is in it.
func TestTheTypeOfAnAnswerIsNotGuessed(t *testing.T) {
	u := newWire(t)
	u.say("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>hello</>")
	for _, standard := range []bool{false, true} {
		h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()}}, func(c *Config) { c.Connections = &Connections{Standard: standard} })
		if res := h.get(t, "/"); res.StatusCode != 200 || res.Header["Content-Type"] != nil || res.body != "<html>hello</>" {
			t.Errorf("standard %t: got %d, %v, %q", standard, res.StatusCode, res.Header, res.body)
		}
	}
}
