package devprovider

import (
	"io"
	"net/http"
)

// serveHandOut answers POST person=NAME with an access token as plain text, so
// that a shell can say TOKEN=$(curl ...). client and scope may be named; otherwise
// it is the first native client by id, with openid profile email. With full=true
// the whole token reply is given.
func (p *Provider) serveHandOut(w http.ResponseWriter, r *http.Request) {
	if !p.sameOrigin(r) {
		http.Error(w, "not for other pages", http.StatusForbidden)
		return
	}
	person, client, scope := r.Form.Get("person"), r.Form.Get("client"), r.Form.Get("scope")
	if client == "" {
		client = p.nativeClient()
	}
	if scope == "" {
		scope = "openid profile email"
	}
	if person == "" {
		http.Error(w, "say who: person=NAME", http.StatusBadRequest)
		return
	}
	tokens, err := p.give(person, client, scope)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Form.Get("full") == "true" {
		writeJSON(w, http.StatusOK, reply(tokens, p.opts.Now()))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, tokens.AccessToken+"\n")
}

func (p *Provider) nativeClient() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := ""
	for id, c := range p.clients {
		if c.Native && (found == "" || id < found) {
			found = id
		}
	}
	return found
}
