package devprovider

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxForm bounds the body of a request; nothing here needs more.
const maxForm = 64 << 10

// Provider is an OpenID Provider. All methods may be called at any time, also
// while it serves.
type Provider struct {
	opts    Options
	prefix  string // path of the issuer
	host    string // host and port of the issuer
	keys    keyring
	routes  map[string]endpoint
	grants  *grants
	devices devices

	mu       sync.Mutex
	people   []*Person // replaced by SetPerson, never changed
	clients  map[string]*Client
	signInAs string
	sessions map[string]browserSession
	calls    map[Endpoint]int
	override map[Endpoint]http.HandlerFunc
	rewrite  map[Document]func(map[string]any)
}

// New makes a Provider that is to be reached under opts.Issuer. It panics when
// options contradict each other; see NewServer for one that listens as well.
func New(opts Options) *Provider {
	opts.setDefaults()
	p := &Provider{
		opts:     opts,
		prefix:   strings.TrimSuffix(issuerPath(opts.Issuer), "/"),
		clients:  make(map[string]*Client),
		sessions: make(map[string]browserSession),
		calls:    make(map[Endpoint]int),
		override: make(map[Endpoint]http.HandlerFunc),
		rewrite:  make(map[Document]func(map[string]any)),
		grants:   newGrants(),
		routes:   make(map[string]endpoint),
	}
	u, _ := url.Parse(opts.Issuer) // issuerPath has parsed it
	p.host = u.Host
	p.keys.algorithm = opts.Algorithm
	for _, person := range opts.People {
		p.SetPerson(person)
	}
	for _, c := range opts.Clients {
		p.SetClient(c)
	}
	for _, e := range p.endpoints() {
		p.routes[e.path] = e
	}
	return p
}

// Issuer returns the issuer identifier.
func (p *Provider) Issuer() string { return p.opts.Issuer }

// URL returns the address of an endpoint.
func (p *Provider) URL(name Endpoint) string {
	for _, e := range p.routes {
		if e.name == name {
			return p.address(e.path)
		}
	}
	panic("devprovider: no endpoint " + strconv.Quote(string(name)))
}

func (p *Provider) address(path string) string {
	return strings.TrimSuffix(p.opts.Issuer, "/") + path
}

// ServeHTTP answers one request: refuse what is not local, find the endpoint,
// count the call, then let the override or the endpoint itself answer.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.local(r) {
		http.Error(w, "the development provider answers on loopback only", http.StatusForbidden)
		return
	}
	path, below := strings.CutPrefix(r.URL.Path, p.prefix)
	e, ok := p.routes[path]
	if !ok || !below {
		http.NotFound(w, r)
		return
	}
	// Reading the form now bounds it, and lets net/http notice a client that goes
	// away while an override hangs.
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request", "The form cannot be read.")
		return
	}
	p.mu.Lock()
	p.calls[e.name]++
	serve := p.override[e.name]
	p.mu.Unlock()
	if serve == nil {
		serve = e.answer
	}
	serve(w, r)
}

// answer is an endpoint's own answer. A method that it does not know is 404, as
// in Rails.
func (e endpoint) answer(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !slices.Contains(e.methods, method) {
		http.NotFound(w, r)
		return
	}
	e.serve(w, r)
}

// local reports whether the request came to a loopback address and names one, or
// the issuer, as its host: the latter keeps pages on the internet, whose names
// may be made to point here, from asking for tokens.
func (p *Provider) local(r *http.Request) bool {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && !loopbackAddr(addr) {
		return false
	}
	return r.Host == p.host || loopbackHost(hostname(r.Host))
}

func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func loopbackAddr(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// person returns the person of that name, or nil.
func (p *Provider) person(name string) *Person {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, person := range p.people {
		if person.Name == name {
			return person
		}
	}
	return nil
}

func (p *Provider) client(id string) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clients[id]
}

// rewritten applies the document's Rewrite function, if there is one.
func (p *Provider) rewritten(name Document, doc map[string]any) map[string]any {
	p.mu.Lock()
	change := p.rewrite[name]
	p.mu.Unlock()
	if change != nil {
		change(doc)
	}
	return doc
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // the client has gone away: nobody is left to tell
}

// writeError answers with an error of RFC 6749 section 5.2, with the challenge
// that Doorkeeper adds to every one of them.
func writeError(w http.ResponseWriter, status int, code, description string) {
	challenge(w, code)
	writeJSON(w, status, map[string]any{"error": code, "error_description": description})
}

func challenge(w http.ResponseWriter, code string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="Doorkeeper", error="`+code+`"`)
}
