package demo

import (
	"net/http"
	"slices"
	"strings"
)

// identityHeaders are those that claimproxy can send by one of its presets. An
// application believes them because nobody but claimproxy can reach it.
var identityHeaders = []string{
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
	"Remote-User", "Remote-Email", "Remote-Groups", "Remote-Name",
	"X-Webauth-User", "X-Webauth-Email", "X-Webauth-Name", "X-Webauth-Groups", "X-Webauth-Role",
	"X-Claimproxy-Assertion",
}

// visitor is who the headers say is asking.
type visitor struct {
	User   string
	Email  string
	Groups []string
}

func visitorOf(r *http.Request) visitor {
	v := visitor{User: r.Header.Get("X-Forwarded-User"), Email: r.Header.Get("X-Forwarded-Email")}
	if groups := r.Header.Get("X-Forwarded-Groups"); groups != "" {
		v.Groups = strings.Split(groups, ",")
	}
	return v
}

// serveWhoami echoes what reached the application about the caller. Of credentials
// it tells only whether they came through, which they should not.
func (a *Application) serveWhoami(w http.ResponseWriter, r *http.Request) {
	headers := make(map[string][]string)
	for _, name := range identityHeaders {
		if values := r.Header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	cookies := []string{}
	for _, c := range r.Cookies() {
		if !slices.Contains(cookies, c.Name) {
			cookies = append(cookies, c.Name)
		}
	}
	v := visitorOf(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"user": v.User, "email": v.Email, "groups": append([]string{}, v.Groups...), "headers": headers,
		"authorization_received": r.Header.Get("Authorization") != "", "cookies_received": cookies,
	})
}
