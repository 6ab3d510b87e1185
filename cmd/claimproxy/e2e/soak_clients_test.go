//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// soaker is one client: a person, or a program of theirs, with one connection.
type soaker struct {
	*soak
	kind string
	// who this is, and what proves it.
	who, cookie, token string
	addr               net.IP // that it comes from
	http               *http.Client
}

// soakKinds are what clients do over and over, and how many of a hundred do it.
var soakKinds = []struct {
	name  string
	share int
	do    func(*soaker) error
}{
	{"pages with a session", 26, (*soaker).page},
	{"requests with a token", 18, (*soaker).program},
	{"uploads", 8, (*soaker).upload},
	{"downloads", 8, (*soaker).download},
	{"event streams", 10, (*soaker).events},
	{"websockets", 10, (*soaker).socket},
	{"refusals", 8, (*soaker).refused},
	{"questions", 6, (*soaker).question},
	{"new connections", 4, (*soaker).newcomer},
	{"sign-ins", 2, (*soaker).signIn},
}

// newSoaker makes the nth client.
func (s *soak) newSoaker(n int, kind string) *soaker {
	p := s.people[n%len(s.people)]
	c := &soaker{soak: s, kind: kind, who: p.name, cookie: p.cookie, token: p.tokens[n/len(s.people)%len(p.tokens)]}
	c.addr = net.IPv4(127, 1, byte(n/250), byte(1+n%250))
	if kind == "questions" {
		c.addr = net.IPv4(127, 0, 0, 2)
	}
	c.http = c.client(n%2 == 0 && kind != "websockets")
	c.http.Transport.(*http.Transport).DisableKeepAlives = kind == "new connections"
	return c
}

// client speaks HTTP/2, or HTTP/1.1.
func (c *soaker) client(h2 bool) *http.Client {
	t := &http.Transport{
		MaxConnsPerHost: 1, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: c.trust, VerifyConnection: c.sawCertificate},
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(addr)
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: c.addr}}
			return d.DialContext(ctx, "tcp", "127.0.0.1:"+port)
		},
	}
	if !h2 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return &http.Client{Transport: t, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// errAway is what a request to a server that is away comes to: a 502, or an answer that
// breaks off. Whether that was right is for attempt to say.
var errAway = errors.New("the upstream is away")

// attempt asks an upstream for something. It is over when the answer is whole and right, or
// the upstream was away while it was asked: the servers may be away one after the other,
// and what must not be sent twice may then be lost. lost counts those.
func (c *soaker) attempt(upstream, method string, do func() error) error {
	from := time.Now()
	err := do()
	if err == nil {
		return nil
	}
	if c.mayBeLost(upstream, method, from, time.Now()) {
		c.lost(upstream, method)
		return nil
	}
	return fmt.Errorf("%s %s of %s: %w", method, upstream, c.who, err)
}

// send sends a request and returns the answer if its status is this one.
func (c *soaker) send(method, target string, body io.Reader, want int, headers ...string) (*http.Response, error) {
	req, err := http.NewRequest(method, c.url+target, body)
	if err != nil {
		return nil, err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != want {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		res.Body.Close()
		if res.StatusCode == http.StatusBadGateway {
			return nil, fmt.Errorf("%w: %s", errAway, text)
		}
		return nil, fmt.Errorf("%s: got %d, want %d: %s", target, res.StatusCode, want, text)
	}
	return res, nil
}

// fetch reads an answer of a soakServer and says whether it is the right one.
func (c *soaker) fetch(upstream, method, what, nonce string, body io.Reader, proof ...string) (a soakAnswer, err error) {
	res, err := c.send(method, "/"+upstream+"/"+what+"?n="+nonce, body, http.StatusOK, proof...)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("%q: %w", text, err)
	}
	if strings.TrimRight(a.Server, "12") != upstream || a.User != c.who || a.Nonce != nonce {
		return a, fmt.Errorf("MISDIRECTED: got %+v, want %s for %s with %s", a, upstream, c.who, nonce)
	}
	return a, nil
}

func (c *soaker) withSession() string { return "Cookie: " + c.cookie }
func (c *soaker) withToken() string   { return "Authorization: Bearer " + c.token }

func nonce() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// soakUpstreams are whom requests go to, the one that never dies most of all.
var soakUpstreams = []string{"steady", "steady", "twins", "twins", "mortal"}

func someUpstream() string { return soakUpstreams[rand.IntN(len(soakUpstreams))] }

func (c *soaker) page() error {
	if rand.IntN(5) == 0 {
		return c.turn(c.withSession())
	}
	upstream := someUpstream()
	return c.attempt(upstream, http.MethodGet, func() error {
		_, err := c.fetch(upstream, http.MethodGet, "page", nonce(), nil, c.withSession())
		return err
	})
}

func (c *soaker) program() error {
	switch rand.IntN(5) {
	case 0:
		return c.turn(c.withToken())
	case 1:
		return c.put(someUpstream(), 100)
	}
	upstream := someUpstream()
	return c.attempt(upstream, http.MethodGet, func() error {
		_, err := c.fetch(upstream, http.MethodGet, "page", nonce(), nil, c.withToken())
		return err
	})
}

// turn asks for what every configuration sends elsewhere, or closes.
func (c *soaker) turn(proof string) error {
	n, from := nonce(), time.Now()
	res, err := c.send(http.MethodGet, "/turn/page?n="+n, nil, http.StatusOK, proof)
	var got string
	if err == nil {
		defer res.Body.Close()
		var a soakAnswer
		if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
			return err
		}
		if a.User != c.who || a.Nonce != n {
			return fmt.Errorf("MISDIRECTED: got %+v, want %s with %s", a, c.who, n)
		}
		got = a.Server
	} else if strings.Contains(err.Error(), "got 403") {
		got = "nobody"
	} else {
		return err
	}
	if could := c.turns(from, time.Now()); !strings.Contains(could, got) {
		return fmt.Errorf("MISDIRECTED: the turn was of %s, and %s answered", could, got)
	}
	return nil
}

func (c *soaker) upload() error { return c.put(someUpstream(), 1+rand.IntN(1<<20)) }

func (c *soaker) put(upstream string, size int) error {
	n := nonce()
	body := make([]byte, size)
	_, _ = io.ReadFull(&pattern{text: n + "."}, body)
	sum := sha256.Sum256(body)
	var reader io.Reader = bytes.NewReader(body)
	if size%2 == 1 {
		reader = struct{ io.Reader }{reader} // chunked
	}
	return c.attempt(upstream, http.MethodPost, func() error {
		a, err := c.fetch(upstream, http.MethodPost, "upload", n, reader, c.withToken())
		if err == nil && (a.Size != int64(size) || a.Sum != hex.EncodeToString(sum[:])) {
			err = fmt.Errorf("of %d bytes there came %+v", size, a)
		}
		return err
	})
}

func (c *soaker) download() error {
	upstream, n, size := someUpstream(), nonce(), 1+rand.IntN(1<<20)
	return c.attempt(upstream, http.MethodGet, func() error {
		res, err := c.send(http.MethodGet, fmt.Sprintf("/%s/download?n=%s&size=%d", upstream, n, size), nil, http.StatusOK, c.withToken())
		if err != nil {
			return err
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		want := make([]byte, size)
		_, _ = io.ReadFull(&pattern{text: n + " "}, want)
		if !bytes.Equal(got, want) || res.Header.Get("X-User") != c.who {
			return fmt.Errorf("MISDIRECTED: %d bytes for %s, want %d for %s", len(got), res.Header.Get("X-User"), size, c.who)
		}
		return nil
	})
}

func (c *soaker) events() error {
	n := nonce()
	res, err := c.send(http.MethodGet, "/steady/events?n="+n, nil, http.StatusOK, c.withSession(), "Accept: text/event-stream")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines, i := bufio.NewScanner(res.Body), 0
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		if want := fmt.Sprintf("data: steady %s %s %d", c.who, n, i); lines.Text() != want {
			return fmt.Errorf("MISDIRECTED: got the event %q, want %q", lines.Text(), want)
		}
		i++
	}
	if lines.Err() != nil || i != soakEvents {
		return fmt.Errorf("a stream ended after %d events: %v", i, lines.Err())
	}
	return nil
}

func (c *soaker) socket() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := *c.http
	client.Timeout = 0 // the library has ctx for that
	h := http.Header{"Cookie": {c.cookie}, "Origin": {c.url}}
	conn, _, err := websocket.Dial(ctx, c.url+"/steady/socket", &websocket.DialOptions{HTTPClient: &client, HTTPHeader: h})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	for range 20 {
		n := nonce()
		if err := conn.Write(ctx, websocket.MessageText, []byte(n)); err != nil {
			return fmt.Errorf("websocket: %w", err)
		}
		_, got, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("websocket: %w", err)
		}
		if want := "steady " + c.who + " " + n; string(got) != want {
			return fmt.Errorf("MISDIRECTED: the websocket says %q, want %q", got, want)
		}
		select {
		case <-c.over:
		case <-time.After(50 * time.Millisecond):
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}

// refused asks for what it has no right to.
func (c *soaker) refused() error {
	for _, q := range []struct {
		path   string
		want   int
		header string
	}{
		{"/steady/page", http.StatusFound, "Accept: text/html"}, {"/steady/page", http.StatusUnauthorized, "Accept: application/json"}, {"/closed/page", http.StatusForbidden, c.withToken()},
		{"/admins/page", http.StatusForbidden, c.withSession()}, {"/nowhere", http.StatusNotFound, c.withSession()}, {"/steady/../page", http.StatusBadRequest, c.withSession()},
	} {
		method, body := http.MethodGet, io.Reader(nil)
		if q.want == http.StatusForbidden { // and the body of the refused is nobody's next request
			method, body = http.MethodPost, strings.NewReader("GET /steady/page HTTP/1.1\r\n\r\n")
		}
		res, err := c.send(method, q.path, body, q.want, q.header)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if to := res.Header.Get("Location"); (q.want == http.StatusFound) != strings.Contains(to, "/.auth/sign-in?") || res.Header.Get("X-Server") != "" {
			return fmt.Errorf("%s: got Location %q", q.path, to)
		}
	}
	return nil
}

// question asks as a server in front would.
func (c *soaker) question() error {
	for proof, want := range map[string]int{c.withSession(): http.StatusOK, c.withToken(): http.StatusOK, "X-Nobody: yes": http.StatusUnauthorized} {
		res, err := c.send(http.MethodGet, "/.auth/check", nil, want, proof,
			"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: "+strings.TrimPrefix(c.url, "https://"), "X-Forwarded-Uri: /asked/x?n="+nonce())
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if got := res.Header.Get("X-Forwarded-User"); got != c.who && want == http.StatusOK || got != "" && want != http.StatusOK {
			return fmt.Errorf("MISDIRECTED: a question of %s is answered with %q", c.who, got)
		}
	}
	return nil
}

// newcomer is page on a connection of its own: a handshake each.
func (c *soaker) newcomer() error {
	_, err := c.fetch("steady", http.MethodGet, "page", nonce(), nil, c.withSession())
	return err
}

// signIn signs in with a browser that knows nobody yet.
func (c *soaker) signIn() error {
	jar, _ := cookiejar.New(nil)
	client := *c.http
	client.Jar, client.CheckRedirect = jar, nil
	defer func() { client.CloseIdleConnections() }()
	req, err := http.NewRequest(http.MethodGet, c.url+"/steady/page?n=in", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/html")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var a soakAnswer
	text, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(text, &a); err != nil || a.User != soakNewcomer {
		return fmt.Errorf("a sign-in ends at %s with %d %.300s", res.Request.URL.Redacted(), res.StatusCode, text)
	}
	return nil
}
