package login

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

const firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// browser keeps cookies, says what browsers say, and takes one redirect at a time.
type browser struct {
	s      *site
	t      *testing.T
	client *http.Client
}

func (s *site) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Transport: s.tls.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.t.Cleanup(client.CloseIdleConnections)
	return &browser{s, s.t, client}
}

// page is an answer that has been read.
type page struct {
	t       *testing.T
	request string
	url     *url.URL
	status  int
	header  http.Header
	body    string
	cookies []*http.Cookie
}

// open opens an address, or a path of the site, as somebody who typed it does.
// Header lines of the form "Name: value" replace what a browser would send.
func (b *browser) open(target string, headers ...string) *page {
	b.t.Helper()
	return b.send(http.MethodGet, target, headers...)
}

func (b *browser) send(method, target string, headers ...string) *page {
	b.t.Helper()
	return b.submit(method, target, nil, headers...)
}

// submit sends a form.
func (b *browser) submit(method, target string, form url.Values, headers ...string) *page {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.s.url + target
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, line := range append([]string{"Accept: " + firefox, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"}, headers...) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case name == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &page{b.t, method + " " + target, req.URL, res.StatusCode, res.Header, string(body), res.Cookies()}
	if strings.HasPrefix(target, b.s.url) {
		b.s.listen(p)
		if p.header.Get("X-Application") == "" {
			p.wantOwn()
		}
	}
	return p
}

// listen learns from an answer what may not be found in the log.
func (s *site) listen(p *page) {
	q := p.url.Query()
	s.secret(q.Get("code"), q.Get("state"))
	if to := p.next(); to != nil {
		q := to.Query()
		s.secret(q.Get("code"), q.Get("state"), q.Get("nonce"), q.Get("code_challenge"))
	}
	for _, c := range p.cookies {
		s.secret(c.Value)
	}
}

// wantOwn checks what every answer of ours promises.
func (p *page) wantOwn() {
	p.t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Request-Id": "kq3v5n7x2m4p6r8t",
	} {
		if got := p.header.Values(name); len(got) != 1 || got[0] != want {
			p.t.Errorf("%s: %d has %s %q, want %q", p.request, p.status, name, got, want)
		}
	}
	csp := p.header.Get("Content-Security-Policy")
	// The one page that may be framed has a test of its own.
	framed := strings.Contains(p.url.Path, "/frontchannel-logout/invent") && p.status != http.StatusMethodNotAllowed
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "frame-ancestors 'none'") == framed || strings.Contains(csp, "unsafe") {
		p.t.Errorf("%s: %d has Content-Security-Policy %q", p.request, p.status, csp)
	}
	if p.status == http.StatusServiceUnavailable && p.header.Get("Retry-After") == "" {
		p.t.Errorf("%s: 503 without Retry-After", p.request)
	}
	for _, c := range p.cookies {
		if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite == 0 || c.SameSite == http.SameSiteNoneMode {
			p.t.Errorf("%s: sets %s", p.request, strings.Replace(c.Raw, c.Value, "...", 1))
		}
		if secure := p.url.Scheme == "https"; c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure {
			p.t.Errorf("%s: sets %q, Secure %v", p.request, c.Name, c.Secure)
		}
	}
}

// location is where a redirect leads, nil when the answer is none.
func (p *page) location() *url.URL {
	if p.status < 300 || p.status > 399 {
		return nil
	}
	to, err := p.url.Parse(p.header.Get("Location"))
	if err != nil {
		return nil
	}
	return to
}

func (p *page) want(status int, texts ...string) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: got %d, want %d\n%v\n%s", p.request, p.status, status, p.header, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			p.t.Errorf("%s: the answer lacks %q\n%s", p.request, text, p.body)
		}
	}
	return p
}

// wantNo fails the test when the answer has one of these texts anywhere.
func (p *page) wantNo(texts ...string) *page {
	p.t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.t.Errorf("%s: the answer contains %q\n%s", p.request, text, p.body)
		}
		for name, values := range p.header {
			if strings.Contains(strings.Join(values, "\n"), text) {
				p.t.Errorf("%s: the header %s contains %q", p.request, name, text)
			}
		}
	}
	return p
}

// wantTo checks a redirect with status 302 to an address, or a path of the site.
func (p *page) wantTo(s *site, target string) *page {
	p.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = s.origin + target
	}
	if got := p.want(http.StatusFound).header.Get("Location"); got != target {
		p.t.Errorf("%s: leads to %q, want %q", p.request, got, target)
	}
	return p
}

func (p *page) object() map[string]any {
	p.t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(p.body), &doc); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.request, err, p.body)
	}
	return doc
}

// cookie returns the cookie that the answer sets under a name that begins so.
func (p *page) cookie(prefix string) *http.Cookie {
	for _, c := range p.cookies {
		if strings.HasPrefix(c.Name, prefix) {
			return c
		}
	}
	return nil
}

// follow takes a redirect as a browser does that came from another site.
func (b *browser) follow(p *page) *page {
	b.t.Helper()
	to := p.location()
	if to == nil {
		b.t.Fatalf("%s: got %d, want a redirect\n%s", p.request, p.status, p.body)
	}
	return b.open(to.String(), "Sec-Fetch-Site: cross-site")
}

// leave begins an attempt and returns the redirect to the provider.
func (b *browser) leave(place string) *page {
	b.t.Helper()
	return b.open("/.auth/start/invent?return_to=" + url.QueryEscape(place)).want(http.StatusFound)
}

// comeBack goes from there to the provider, and returns the address of the callback.
func (b *browser) comeBack(p *page) *url.URL {
	b.t.Helper()
	back := b.follow(p)
	to := back.location()
	if to == nil || !strings.HasPrefix(to.String(), b.s.url) {
		b.t.Fatalf("the provider leads to %v\n%s", to, back.body)
	}
	b.s.secret(to.Query().Get("code"))
	return to
}

// visit begins an attempt and returns the address of the callback.
func (b *browser) visit(place string) *url.URL {
	b.t.Helper()
	return b.comeBack(b.leave(place))
}

// signIn goes the whole way and returns the answer to the callback.
func (b *browser) signIn(place string) *page {
	b.t.Helper()
	return b.open(b.visit(place).String(), "Sec-Fetch-Site: cross-site")
}

// jar returns the browser's cookies of the site whose names begin so.
func (b *browser) jar(prefix string) []*http.Cookie {
	b.t.Helper()
	var list []*http.Cookie
	for _, c := range b.client.Jar.Cookies(b.siteURL()) {
		if strings.HasPrefix(c.Name, prefix) {
			list = append(list, c)
		}
	}
	return list
}

func (b *browser) attempts() []*http.Cookie { return b.jar(b.s.Cookies.AttemptPrefix) }

// session returns the session cookie, nil if there is none.
func (b *browser) session() *http.Cookie {
	for _, c := range b.jar(b.s.Cookies.Session) {
		if c.Name == b.s.Cookies.Session {
			return c
		}
	}
	return nil
}

func (b *browser) put(name, value string) {
	b.t.Helper()
	b.client.Jar.SetCookies(b.siteURL(), []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: b.s.Cookies.Secure}})
}

func (b *browser) siteURL() *url.URL {
	b.t.Helper()
	u, err := url.Parse(b.s.url)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// me returns the user whom the browser is signed in as, or "".
func (b *browser) me() string {
	b.t.Helper()
	p := b.open("/.auth/me", "Accept: application/json")
	if p.status == http.StatusUnauthorized {
		return ""
	}
	user, _ := p.want(http.StatusOK).object()["user"].(string)
	return user
}

// wantHelp checks a page for a person whose attempt came to nothing: it says what
// to do, offers to start again, and no session has begun.
func (b *browser) wantHelp(p *page, status int, texts ...string) *page {
	b.t.Helper()
	p.want(status, append(texts, `href="/.auth/start/invent?return_to=`)...)
	if got := p.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		b.t.Errorf("%s: got Content-Type %q, want a page", p.request, got)
	}
	if c := p.cookie(b.s.Cookies.Session); c != nil && !strings.HasPrefix(c.Name, b.s.Cookies.AttemptPrefix) {
		b.t.Errorf("%s: sets a session cookie", p.request)
	}
	return p
}
