package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/provider"
)

// desk lists and ends people's sessions for those who run claimproxy. Whoever reaches the
// admin listener is trusted with that.
type desk struct {
	remote    login.Remote // nil: the store cannot do it
	tokens    login.Tokens
	providers []*provider.Provider
	log       *slog.Logger
}

// maxDeskRequest bounds the body of a request to the desk.
const maxDeskRequest = 4 << 10

// deskError is a refusal: a status, and a sentence for whoever asked.
type deskError struct {
	status   int
	sentence string
}

func (e *deskError) Error() string { return e.sentence }

// openSession is one of a person's sessions, as it is told to those who run claimproxy. Its
// names are for programs and stay.
type openSession struct {
	ID       string    `json:"id"`
	Provider string    `json:"provider"`
	Subject  string    `json:"sub"`
	Since    time.Time `json:"since"`
	LastSeen time.Time `json:"last_seen"`
	Until    time.Time `json:"until"`
	Browser  string    `json:"browser"`
	Address  string    `json:"address"`
}

// sessionList and sessionsEnded are the answers of the desk.
type (
	sessionList struct {
		Sessions []openSession `json:"sessions"`
	}
	sessionsEnded struct {
		Ended int `json:"ended"`
	}
)

// list answers GET /sessions?sub=SUB&provider=ID.
func (d *desk) list(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		writeDeskError(w, &deskError{http.StatusBadRequest, "The query cannot be read."})
		return
	}
	p, asked, err := d.asked(query, "sub", "provider")
	if err != nil {
		writeDeskError(w, err)
		return
	}
	all, err := d.remote.List(r.Context(), p.Issuer, asked["sub"])
	if err != nil {
		writeDeskError(w, err)
		return
	}
	list := sessionList{Sessions: []openSession{}}
	for _, s := range all {
		list.Sessions = append(list.Sessions, openSession{s.ID, s.Provider, s.Subject, s.Created, s.Seen, s.Ends, s.Browser, s.Address})
	}
	writeDesk(w, http.StatusOK, list)
}

// end answers POST /sessions/end with sub=SUB&provider=ID, and id=ID for one session
// alone.
func (d *desk) end(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxDeskRequest)
	if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" {
		writeDeskError(w, &deskError{http.StatusBadRequest, "Expected sub, and perhaps provider and id, in a form."})
		return
	}
	p, asked, err := d.asked(r.PostForm, "sub", "provider", "id")
	if err != nil {
		writeDeskError(w, err)
		return
	}
	var ended []session.Summary
	if id := asked["id"]; id != "" {
		ended, err = d.remote.EndOne(r.Context(), p.Issuer, asked["sub"], id)
	} else {
		ended, err = d.remote.EndAll(r.Context(), p.Issuer, asked["sub"])
	}
	d.tokens.Forget(p.Issuer, asked["sub"])
	about := []any{"provider", p.ID, "sub", asked["sub"], "sessions", len(ended), "from", r.RemoteAddr}
	if err != nil {
		d.log.Error("not all sessions could be ended on the admin listener", append(about, "error", err)...)
		writeDeskError(w, err)
		return
	}
	d.log.Info("sessions were ended on the admin listener", about...)
	writeDesk(w, http.StatusOK, sessionsEnded{len(ended)})
}

// asked reads parameters, each at most once and no others, so that a slip in writing
// one does not mean all of what it would have narrowed down. The same sub at two
// providers is two people: with several it must be said which.
func (d *desk) asked(values url.Values, names ...string) (*provider.Provider, map[string]string, error) {
	bad := func(format string, args ...any) (*provider.Provider, map[string]string, error) {
		return nil, nil, &deskError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	if d == nil {
		return nil, nil, &deskError{http.StatusServiceUnavailable, "The proxy is not serving yet."}
	}
	if d.remote == nil {
		return nil, nil, &deskError{http.StatusNotImplemented, "Sessions are kept in browsers alone (session.store: cookie), so they can be neither listed nor ended from here. A person who is blocked at the provider is out within session.recheck."}
	}
	asked := make(map[string]string)
	for name, v := range values {
		if !slices.Contains(names, name) || len(v) != 1 || v[0] == "" {
			return bad("Expected each of %s at most once, and not empty.", strings.Join(names, ", "))
		}
		asked[name] = v[0]
	}
	if asked["sub"] == "" {
		return bad("Expected sub, the person's subject at the provider.")
	}
	var ids []string
	for _, p := range d.providers {
		if p.ID == asked["provider"] {
			return p, asked, nil
		}
		ids = append(ids, p.ID)
	}
	switch {
	case asked["provider"] != "":
		return bad("There is no such provider. There is: %s.", strings.Join(ids, ", "))
	case len(d.providers) != 1:
		return bad("Expected provider, one of %s.", strings.Join(ids, ", "))
	}
	return d.providers[0], asked, nil
}

func writeDeskError(w http.ResponseWriter, err error) {
	refused := &deskError{http.StatusInternalServerError, "Something went wrong."}
	var u *session.Unavailable
	if errors.As(err, &u) {
		w.Header().Set("Retry-After", fmt.Sprint(u.Seconds()))
		refused = &deskError{http.StatusServiceUnavailable, u.Sentence}
	}
	errors.As(err, &refused)
	writeDesk(w, refused.status, map[string]string{"error": refused.sentence})
}

func writeDesk(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // whoever asked may have gone away
}

// ownHost says whether a Host is one by which this machine is reached from itself: a page
// on the internet whose name was made to point here has another (DNS rebinding).
func ownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return session.LoopbackHost(strings.Trim(host, "[]"))
}
