package e2e

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// application is an upstream with pages: each says who asks for what, and has a form.
type application struct {
	url string
	// saved counts the forms that have arrived.
	saved atomic.Int64
}

var applicationPage = template.Must(template.New("application").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>An application</title><link rel="icon" href="data:,">
<h1>{{.User}}: {{.Method}} {{.URI}}</h1>
{{range $name, $values := .Form}}{{range $values}}<p>{{$name}} is <q>{{.}}</q></p>{{end}}{{end}}
<form method="post" action="{{.URI}}"><p><label>Text <textarea name="text"></textarea></label> <button>Save</button></form>
</html>
`))

func newApplication(t testing.TB) *application {
	t.Helper()
	a := &application{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPost {
		a.saved.Add(1)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = applicationPage.Execute(w, map[string]any{
		"User": r.Header.Get("X-Forwarded-User"), "Method": r.Method, "URI": r.RequestURI, "Form": r.PostForm,
	})
}
