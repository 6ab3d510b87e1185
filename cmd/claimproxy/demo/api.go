package demo

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// maxReport bounds a submitted report and a new product.
const maxReport = 64 << 10

// maxData is how many samples /analytics/data gives, the newest first.
const maxData = 100

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // the client has gone away: nobody is left to tell
}

func writeFault(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

// readObject reads a bounded JSON object from the body, or answers itself.
func readObject(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		writeFault(w, http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB")
		return false
	}
	if err != nil {
		writeFault(w, http.StatusBadRequest, "the body ended early")
		return false
	}
	if err := json.Unmarshal(body, into); err != nil {
		writeFault(w, http.StatusBadRequest, "the body is not the expected JSON object")
		return false
	}
	return true
}

// serveSchema is the handshake of KUserFeedback's console.
func (a *Application) serveSchema(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]int{"protocolVersion": 2})
}

func (a *Application) serveProducts(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, a.data.list())
}

func (a *Application) serveData(w http.ResponseWriter, r *http.Request) {
	p, ok := a.data.find(r.PathValue("product"))
	if !ok {
		writeFault(w, http.StatusNotFound, "no such product")
		return
	}
	newest := make([]sample, 0, maxData)
	for i := len(p.samples) - 1; i >= 0 && len(newest) < maxData; i-- {
		newest = append(newest, p.samples[i])
	}
	writeJSON(w, http.StatusOK, newest)
}

var productName = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)

// serveCreate adds a product: {"name": "org.kde.example", "title": "Example"}.
func (a *Application) serveCreate(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Name  string `json:"name"`
		Title string `json:"title"`
	}
	if !readObject(w, r, &wanted) {
		return
	}
	if len(wanted.Name) > 60 || !productName.MatchString(wanted.Name) {
		writeFault(w, http.StatusBadRequest, "name must look like org.kde.example")
		return
	}
	title := tidy(wanted.Title)
	if title == "" {
		title = wanted.Name
	}
	created, full := a.data.create(wanted.Name, title)
	switch {
	case full:
		writeFault(w, http.StatusConflict, "there are too many products already")
	case !created:
		writeFault(w, http.StatusConflict, "there is such a product already")
	default:
		writeJSON(w, http.StatusCreated, map[string]string{"name": wanted.Name, "title": title})
	}
}

// serveProbe answers what installed programs ask before they send a report: they
// go on to post to the address at which they were answered.
func (a *Application) serveProbe(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.data.find(r.PathValue("product")); !ok {
		writeFault(w, http.StatusNotFound, "no such product")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// report is what KUserFeedback sends. Other members are ignored.
type report struct {
	Version  struct{ Value string }       `json:"applicationVersion"`
	Platform struct{ OS, Version string } `json:"platform"`
	Qt       struct{ Value string }       `json:"qtVersion"`
	Starts   struct{ Value int }          `json:"startCount"`
	Usage    struct{ Value int }          `json:"usageTime"`
}

// serveSubmit counts a report in and answers with the surveys that wait for the
// program: none.
func (a *Application) serveSubmit(w http.ResponseWriter, r *http.Request) {
	var sent report
	if !readObject(w, r, &sent) {
		return
	}
	ok := a.data.submit(r.PathValue("product"), sample{
		Time:     a.data.now(),
		Version:  known(tidy(sent.Version.Value)),
		Platform: known(tidy(sent.Platform.OS + " " + sent.Platform.Version)),
		Qt:       known(tidy(sent.Qt.Value)),
		Starts:   max(sent.Starts.Value, 0),
		Usage:    max(sent.Usage.Value, 0),
	})
	if !ok {
		writeFault(w, http.StatusNotFound, "no such product")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"surveys": []string{}})
}

// tidy makes a stranger's text fit for a chart: one short line.
func tidy(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	return shorten(text, 40)
}

// shorten cuts a text to a number of characters.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func known(text string) string {
	if text == "" {
		return "not told"
	}
	return text
}
