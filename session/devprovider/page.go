package devprovider

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed page.html page.css
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"initial": initial}).ParseFS(files, "page.html"))

// initial returns the first letter of a name.
func initial(name string) string {
	for _, r := range name {
		return string(r)
	}
	return ""
}

// pageContent is what the one template shows.
type pageContent struct {
	Title  string
	Text   string
	Link   string // follows Text
	Style  string
	Action string
	Client string
	Scopes []string
	Hidden map[string]string
	People []*Person
	// CodeAction is where the code of a device goes that is asked for.
	CodeAction string
}

// pickPage asks who is signing in.
func (p *Provider) pickPage(w http.ResponseWriter, r *http.Request, req authRequest) {
	hidden := make(map[string]string)
	for _, name := range authParameters {
		if v := r.Form.Get(name); v != "" {
			hidden[name] = v
		}
	}
	p.mu.Lock()
	people := p.people
	p.mu.Unlock()
	p.render(w, http.StatusOK, formTarget(req.redirectURI), pageContent{
		Title: "Who are you today?", Client: req.client.Name, Scopes: req.scopes,
		Action: p.URL(Authorization), Hidden: hidden, People: people,
	})
}

func (p *Provider) refusePage(w http.ResponseWriter, title, text string) {
	p.render(w, http.StatusBadRequest, "", pageContent{Title: title, Text: text})
}

func (p *Provider) signedOutPage(w http.ResponseWriter) {
	p.render(w, http.StatusOK, "", pageContent{Title: "Signed out.", Text: "This browser is nobody in particular again."})
}

// serveHome tells who found the port by chance what it is.
func (p *Provider) serveHome(w http.ResponseWriter, r *http.Request) {
	p.render(w, http.StatusOK, "", pageContent{
		Title: "A provider for development",
		Text:  "Applications send people here to sign in. What they need to know stands at",
		Link:  p.URL(Discovery),
	})
}

// render writes a page that may load nothing but its stylesheet and may send its
// form to this provider alone. Browsers hold the redirect after a form to the same
// rule, so its target is allowed as well.
func (p *Provider) render(w http.ResponseWriter, status int, target string, c pageContent) {
	c.Style = p.prefix + stylePath
	var b bytes.Buffer
	if err := page.Execute(&b, c); err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self' "+target+
		"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	// no-referrer would make browsers send "Origin: null" with the form.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// formTarget returns the source expression (CSP level 3 section 2.3.1) that covers
// a redirect URI: its origin, or only its scheme where there is no such origin, as
// for kde-tool:/callback, and for IPv6 addresses, which cannot be written there.
func formTarget(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" {
		return ""
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Host[0] == '[' {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	css, err := files.ReadFile("page.css")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(css)
}
