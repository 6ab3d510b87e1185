package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// browser behaves as Firefox does where it matters here: it keeps cookies, sends
// Fetch metadata and an Accept header as for a page, and submits forms. It takes
// one redirect at a time, so that a test can look at each.
type browser struct {
	t      testing.TB
	jar    *cookiejar.Jar
	client *http.Client
}

const acceptPage = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, jar: jar, client: newClient(jar)}
}

// visit opens an address that somebody typed: one request, no redirect followed.
func (b *browser) visit(target string) *answer {
	b.t.Helper()
	return b.navigate(http.MethodGet, mustParse(b.t, target), nil, "none", nil)
}

// follow takes one redirect.
func (b *browser) follow(a *answer) *answer {
	b.t.Helper()
	to := a.location()
	if to == nil {
		b.t.Fatalf("%s %s: got status %d, want a redirect\n%s", a.method, a.url, a.status, clip(a.body))
	}
	return b.navigate(http.MethodGet, to, nil, fetchSite(a.url, to), nil)
}

// open opens an address and follows redirects until there are no more, or until
// the next would leave the site.
func (b *browser) open(target string) *answer {
	b.t.Helper()
	return b.followWithin(b.visit(target), mustParse(b.t, target).Host)
}

// followWithin follows redirects as long as they stay at a host.
func (b *browser) followWithin(a *answer, host string) *answer {
	b.t.Helper()
	var trail []string
	for to := a.location(); to != nil && to.Host == host; to = a.location() {
		trail = append(trail, to.Redacted())
		if len(trail) > 10 {
			b.t.Fatalf("a redirect loop:\n%s", strings.Join(trail, "\n"))
		}
		a = b.follow(a)
	}
	return a
}

func (b *browser) navigate(method string, to *url.URL, form url.Values, secFetchSite string, from *url.URL) *answer {
	b.t.Helper()
	var req *http.Request
	if method == http.MethodPost {
		req = request(b.t, method, to.String(), strings.NewReader(form.Encode()),
			"Content-Type: application/x-www-form-urlencoded", "Origin: "+from.Scheme+"://"+from.Host)
	} else {
		req = request(b.t, method, to.String(), nil)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	req.Header.Set("Accept", acceptPage)
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", secFetchSite)
	req.Header.Set("Sec-Fetch-User", "?1")
	return send(b.t, b.client, req)
}

// fetch sends a request as a script in a page of the same origin does.
func (b *browser) fetch(method, target string, headers ...string) *answer {
	b.t.Helper()
	req := request(b.t, method, target, nil, headers...)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return send(b.t, b.client, req)
}

// cookies returns the cookies that the browser would send to an address.
func (b *browser) cookies(target string) []*http.Cookie {
	return b.jar.Cookies(mustParse(b.t, target))
}

// withCookie returns another browser that has nothing but this cookie.
func withCookie(t testing.TB, target string, c *http.Cookie) *browser {
	t.Helper()
	b := newBrowser(t)
	b.jar.SetCookies(mustParse(t, target), []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
	return b
}

// fetchSite is the value of Sec-Fetch-Site for a step between two addresses. Here
// localhost and 127.0.0.1 are two sites, ports do not matter.
func fetchSite(from, to *url.URL) string {
	switch {
	case from.Scheme == to.Scheme && from.Host == to.Host:
		return "same-origin"
	case from.Scheme == to.Scheme && from.Hostname() == to.Hostname():
		return "same-site"
	}
	return "cross-site"
}

func mustParse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// form is a form of a page.
type form struct {
	method, action string
	fields         url.Values
	// buttons are the values of the submit buttons, password says whether a
	// password is asked for.
	buttons  []string
	password bool
}

var (
	formElement  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputElement = regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	attribute    = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))`)
)

// forms reads the forms of a page. It is good for the pages that these tests
// meet and not for HTML at large.
func (a *answer) forms() []form {
	var forms []form
	for _, m := range formElement.FindAllStringSubmatch(a.body, -1) {
		attrs := attributes(m[1])
		f := form{method: strings.ToUpper(attrs["method"]), action: attrs["action"], fields: url.Values{}}
		if f.method == "" {
			f.method = http.MethodGet
		}
		for _, input := range inputElement.FindAllStringSubmatch(m[2], -1) {
			attrs := attributes(input[1])
			switch {
			case attrs["type"] == "submit", strings.HasPrefix(input[0], "<button"):
				f.buttons = append(f.buttons, attrs["value"])
			case attrs["type"] == "password":
				f.password = true
				f.fields.Set(attrs["name"], "")
			default:
				if attrs["name"] != "" {
					f.fields.Add(attrs["name"], attrs["value"])
				}
			}
		}
		forms = append(forms, f)
	}
	return forms
}

func attributes(text string) map[string]string {
	attrs := make(map[string]string)
	for _, m := range attribute.FindAllStringSubmatch(text, -1) {
		attrs[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	return attrs
}

// submit sends a form of a page, with these values in place of those it has.
func (b *browser) submit(a *answer, f form, values map[string]string) *answer {
	b.t.Helper()
	to, err := a.url.Parse(f.action)
	if err != nil {
		b.t.Fatalf("form action %q: %v", f.action, err)
	}
	fields := url.Values{}
	for name, list := range f.fields {
		fields[name] = slices.Clone(list)
	}
	for name, value := range values {
		fields.Set(name, value)
	}
	if f.method == http.MethodGet {
		to.RawQuery = fields.Encode()
		return b.navigate(http.MethodGet, to, nil, fetchSite(a.url, to), nil)
	}
	return b.navigate(http.MethodPost, to, fields, fetchSite(a.url, to), a.url)
}

// atProvider walks through the pages of a provider, from a redirect that leads
// there: it signs the person in where a password is asked for, and answers the
// question for consent. The redirect that leads away from the provider is
// returned and not followed, and so is a page that shows no form to go on with.
func (b *browser) atProvider(a *answer, p *idp, who person, consent bool) *answer {
	b.t.Helper()
	host := mustParse(b.t, p.issuer).Host
	asked := false
	for range 20 {
		if to := a.location(); to != nil {
			if to.Host != host {
				return a
			}
			a = b.follow(a)
			continue
		}
		next, err := b.answerForm(a, who, consent, &asked)
		if err != nil {
			b.t.Fatal(err)
		}
		if next == nil {
			return a
		}
		a = next
	}
	b.t.Fatalf("%s does not come to an end for %s; last %s %s: %d\n%s", p.kind, who.Username, a.method, a.url, a.status, clip(a.body))
	return nil
}

func (b *browser) answerForm(a *answer, who person, consent bool, asked *bool) (*answer, error) {
	forms := a.forms()
	for _, f := range forms {
		if !f.password {
			continue
		}
		if *asked {
			return nil, nil // the password was refused
		}
		*asked = true
		values := make(map[string]string)
		for name := range f.fields {
			switch {
			case strings.Contains(name, "password"):
				values[name] = who.Password
			case strings.Contains(name, "login"):
				values[name] = who.Username
			}
		}
		if len(values) != 2 {
			return nil, fmt.Errorf("sign-in form with the fields %v: want one for the name, one for the password", f.fields)
		}
		return b.submit(a, f, values), nil
	}
	for _, f := range forms {
		// The development provider asks for no password: a person is picked.
		if f.method == http.MethodPost && slices.Contains(f.buttons, who.Username) {
			return b.submit(a, f, map[string]string{"person": who.Username}), nil
		}
	}
	want := "Deny"
	if consent {
		want = "Authorize"
	}
	for _, f := range forms {
		if slices.Contains(f.buttons, want) {
			return b.submit(a, f, nil), nil
		}
	}
	return nil, nil
}

// signIn opens an address at a proxy, signs in at the provider as whoever is
// asked to, and returns what the proxy shows in the end.
func (b *browser) signIn(target string, p *idp, who person) *answer {
	b.t.Helper()
	host := mustParse(b.t, target).Host
	a := b.open(target)
	if to := a.location(); to == nil || !strings.HasPrefix(to.String(), p.issuer) {
		b.t.Fatalf("opening %s: got %d %v, want a redirect to %s\n%s", target, a.status, to, p.issuer, clip(a.body))
	}
	return b.followWithin(b.atProvider(a, p, who, true), host)
}
