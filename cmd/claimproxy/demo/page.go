package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html telemetry.css telemetry.js
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"initial": initial}).ParseFS(files, "page.html"))

// initial is the first letter of a name.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}

// pageContent is what the page shows.
type pageContent struct {
	Visitor   visitor
	Products  []product
	Product   product
	Versions  []series
	Reports   template.HTML
	Platforms template.HTML
	Qt        template.HTML
	Hours     template.HTML
	Live      numbers
	LastWeek  int
	Change    int // percent against the week before
}

// servePage is the one page: greeting, live numbers, charts of one product.
func (a *Application) servePage(w http.ResponseWriter, r *http.Request) {
	c := pageContent{Visitor: visitorOf(r), Products: a.data.list(), Live: a.data.numbers()}
	name := r.URL.Query().Get("product")
	if name == "" && len(c.Products) > 0 {
		name = c.Products[0].Name
	}
	var ok bool
	if c.Product, ok = a.data.find(name); !ok {
		http.Error(w, "no such product", http.StatusNotFound)
		return
	}
	now := a.data.now()
	c.Versions = versionSeries(c.Product.samples, now)
	c.Reports = reportsChart(c.Versions, now)
	c.Platforms = barsChart("Platforms", shares(c.Product.samples, func(s sample) string { return s.Platform }, 7))
	c.Qt = barsChart("Qt versions", shares(c.Product.samples, func(s sample) string { return s.Qt }, 5))
	c.Hours = hoursChart(c.Product.samples)
	var before int
	for _, v := range c.Versions {
		c.LastWeek += v.counts[weeks-1]
		before += v.counts[weeks-2]
	}
	if before > 0 {
		c.Change = (c.LastWeek - before) * 100 / before
	}
	var b bytes.Buffer
	if err := page.Execute(&b, c); err != nil {
		http.Error(w, "the page cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes())
}

func serveFile(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := files.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content)
	}
}
