package answer

import (
	"html"
	"net/http"
	"strings"
)

// Framed answers with one line of text that pages of the given origins, or of the
// origins of these URLs, may show in a frame. It is for providers that sign people out;
// every other page of ours refuses to be framed.
func (a *Answers) Framed(w http.ResponseWriter, r *http.Request, status int, text string, by []string) {
	var ancestors []string
	for _, link := range by {
		if o, ok := origin(link); ok {
			ancestors = append(ancestors, o)
		}
	}
	if len(ancestors) == 0 {
		ancestors = []string{"'none'"}
	}
	policy := "default-src 'none'; frame-ancestors " + strings.Join(ancestors, " ") + "; base-uri 'none'"
	text = html.EscapeString(text)
	page := "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" + text + "</title>\n<p>" + text + ".</p>\n</html>\n"
	a.write(w, status, "text/html; charset=utf-8", policy, []byte(page))
}
