package answer

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// StylePath is where under the endpoints the stylesheet is expected.
const StylePath = "/style.css"

//go:embed page.html
var pageSource string

//go:embed style.css
var styleSheet []byte

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is a Content made ready for the template: links checked, colours
// resolved.
type page struct {
	Content
	Style     string
	Site      string
	Actions   []action
	Lists     []list
	Tables    []table
	HelpLink  string
	RequestID string
}

type table struct {
	Title string
	Rows  []row
}

// row shows Values and folds More away.
type row struct {
	Name         string
	Values, More []string
}

// shownValues is how many values of a row are shown. One more than that is shown
// too, rather than folded away alone.
const shownValues = 10

func newRow(r Row) row {
	if len(r.Values) <= shownValues+1 {
		return row{Name: r.Name, Values: r.Values}
	}
	return row{Name: r.Name, Values: r.Values[:shownValues], More: r.Values[shownValues:]}
}

type list struct {
	Title string
	Items []item
}

type item struct {
	Text, Note string
	Actions    []action
}

type action struct {
	Label  string
	URL    string
	Post   bool
	Main   bool
	Hidden map[string]string
	Form   *Form
	// Logo passed safeLogo, so the template need not filter it again: it would
	// refuse data: URLs.
	Logo  template.URL
	Light fill
	Dark  fill
}

// Page answers with a page for a person.
func (a *Answers) Page(w http.ResponseWriter, r *http.Request, status int, c Content) {
	p := page{Content: c, Style: a.style, Site: a.site, RequestID: requestID(w)}
	policy := pagePolicy{}
	p.Actions = policy.actions(c.Actions)
	for _, l := range c.Lists {
		shown := list{Title: l.Title}
		for _, i := range l.Items {
			shown.Items = append(shown.Items, item{Text: i.Text, Note: i.Note, Actions: policy.actions(i.Actions)})
		}
		p.Lists = append(p.Lists, shown)
	}
	for _, t := range c.Tables {
		shown := table{Title: t.Title}
		for _, r := range t.Rows {
			shown.Rows = append(shown.Rows, newRow(r))
		}
		p.Tables = append(p.Tables, shown)
	}
	for _, o := range c.FormOrigins {
		policy.form(o)
	}
	if safeLink(c.Help) || strings.HasPrefix(c.Help, "mailto:") {
		p.HelpLink, p.Help = c.Help, ""
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, p); err != nil {
		a.broken(w, r, "executing the page template", err)
		return
	}
	a.write(w, status, "text/html; charset=utf-8", policy.String(), body.Bytes())
}

// ServeStyle answers with the stylesheet of all pages.
func (a *Answers) ServeStyle(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.Problem(w, r, http.StatusMethodNotAllowed, Problem{Code: "method", Detail: "The stylesheet can only be read."})
		return
	}
	a.write(w, http.StatusOK, "text/css; charset=utf-8", strictPolicy, styleSheet)
}

// pagePolicy collects the content security policy of one page: nothing but our
// own stylesheet, and beyond it only what this very page shows.
type pagePolicy struct {
	images []string
	forms  []string
}

func (p *pagePolicy) String() string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self' data:")
	for _, origin := range p.images {
		b.WriteString(" " + origin)
	}
	b.WriteString("; form-action 'self'")
	for _, origin := range p.forms {
		b.WriteString(" " + origin)
	}
	b.WriteString("; frame-ancestors 'none'; base-uri 'none'")
	return b.String()
}

func (p *pagePolicy) form(target string) {
	if o, ok := origin(target); ok && !slices.Contains(p.forms, o) {
		p.forms = append(p.forms, o)
	}
}

func (p *pagePolicy) actions(actions []Action) []action {
	shown := make([]action, 0, len(actions))
	for _, a := range actions {
		if !safeLink(a.URL) {
			continue
		}
		s := action{Label: a.Label, URL: a.URL, Main: a.Main, Post: a.Post || a.Form != nil, Hidden: a.Hidden, Form: a.Form, Light: newFill(a.Color)}
		s.Dark = newFill(a.ColorDark)
		if !s.Dark.Set() {
			s.Dark = s.Light
		}
		if safeLogo(a.Logo) {
			s.Logo = template.URL(a.Logo)
			if o, ok := origin(a.Logo); ok && !slices.Contains(p.images, o) {
				p.images = append(p.images, o)
			}
		}
		if a.Post {
			p.form(a.URL)
		}
		shown = append(shown, s)
	}
	return shown
}

// safeLink reports whether a link leads to a path of this host or to an https or
// http URL. A path that browsers would read as another host ("//evil.example",
// "/\evil.example") is neither.
func safeLink(link string) bool {
	if strings.HasPrefix(link, "/") {
		return !strings.HasPrefix(link, "//") && !strings.ContainsAny(link, "\\\t\r\n")
	}
	_, ok := origin(link)
	return ok
}

// safeLogo reports whether a picture may be shown: a path, an https URL, or an
// image in a data: URL. Pictures in img elements run no scripts, SVG included.
func safeLogo(logo string) bool {
	if rest, ok := strings.CutPrefix(logo, "data:image/"); ok {
		return !strings.ContainsAny(rest, "\"'<>\\ \t\r\n")
	}
	return safeLink(logo) && !strings.HasPrefix(logo, "http:")
}

// origin returns the origin of an absolute http or https URL in a form that can
// stand in a content security policy.
func origin(link string) (string, bool) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return "", false
	}
	for i := 0; i < len(u.Host); i++ {
		switch c := u.Host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._:[]", c) >= 0:
		default:
			return "", false
		}
	}
	return u.Scheme + "://" + u.Host, true
}
