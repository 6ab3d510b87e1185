package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/claimproxy/claimproxy/session"
)

// signInPatience is how long a person may take in the browser.
const signInPatience = 10 * time.Minute

// inBrowser signs in with the system's browser and a redirect to this machine (RFC 8252).
// With open false the person opens the address, which is printed in any case.
func (a *Agent) inBrowser(ctx context.Context, p *provider, redirectURI string, open bool) (*oauth2.Token, string, error) {
	if p.oauth.Endpoint.AuthURL == "" {
		return nil, "", fmt.Errorf("%s has no page to sign in at", clean(p.issuer))
	}
	l, err := a.listen(redirectURI)
	if err != nil {
		return nil, "", err
	}
	defer l.close()
	p.oauth.RedirectURL = l.redirectURI
	verifier, nonce := oauth2.GenerateVerifier(), rand.Text()
	attempt := &attempt{state: rand.Text(), issuer: p.issuer, sendsIssuer: p.sendsIssuer, path: l.path, host: l.host, result: make(chan result, 1)}
	options := p.options(oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce))
	if slices.Contains(p.oauth.Scopes, "offline_access") {
		// OpenID Connect Core section 11: without it the scope may be ignored.
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	address := p.oauth.AuthCodeURL(attempt.state, options...)

	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	l.serve(attempt)
	fmt.Fprintf(a.Say, "Sign in with your browser, at\n\n  %s\n\n", address)
	if open {
		if err := a.Open(address); err != nil {
			fmt.Fprintln(a.Say, "No browser could be started: open the address yourself.")
		}
	}
	var code string
	select {
	case got := <-attempt.result:
		if got.err != nil {
			return nil, "", got.err
		}
		code = got.code
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, "", errors.New("nobody signed in within ten minutes")
		}
		return nil, "", ctx.Err()
	}
	t, err := p.oauth.Exchange(p.context(ctx), code, p.options(oauth2.VerifierOption(verifier))...)
	if err != nil {
		return nil, "", p.refused(err)
	}
	if err := p.check(t); err != nil {
		return nil, "", err
	}
	name, err := p.person(ctx, t, nonce)
	return t, name, err
}

// listener waits on this machine for the redirect.
type listener struct {
	net.Listener
	server      *http.Server
	done        chan struct{}
	redirectURI string
	host, path  string
}

// listen opens the port of a registered redirect URI, or a free one where it has none. On
// an address of this machine a provider has to allow any port (RFC 8252 section 7.3), so
// that another one does where the registered one is taken.
func (a *Agent) listen(redirectURI string) (*listener, error) {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "http" || !session.LoopbackHost(u.Hostname()) {
		return nil, fmt.Errorf("the client's redirect URI is not on this machine: %s (whoever runs the application can list one with http://127.0.0.1/; or sign in with --device)", clean(redirectURI))
	}
	name := u.Hostname()
	bind := name
	if name == "localhost" {
		bind = "127.0.0.1"
	}
	port := u.Port()
	l, err := net.Listen("tcp", net.JoinHostPort(bind, port))
	if err != nil && port != "" && name != "localhost" {
		fmt.Fprintf(a.Say, "The port %s is taken; another one is used.\n", clean(port))
		l, err = net.Listen("tcp", net.JoinHostPort(bind, ""))
	}
	if err != nil {
		return nil, fmt.Errorf("nothing can listen at the redirect URI %s: %w", clean(redirectURI), err)
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	u.Host = net.JoinHostPort(name, port)
	path := u.Path
	if path == "" {
		path = "/"
	}
	return &listener{Listener: l, redirectURI: u.String(), host: u.Host, path: path}, nil
}

func (l *listener) serve(h http.Handler) {
	l.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		_ = l.server.Serve(l.Listener) // it ends with ErrServerClosed
	}()
}

// close lets the browser have its page, and ends the listener.
func (l *listener) close() {
	if l.server == nil {
		l.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.server.Shutdown(ctx)
	l.server.Close()
	<-l.done
}

// attempt is one sign-in that waits for its answer.
type attempt struct {
	state       string
	issuer      string
	sendsIssuer bool
	host, path  string
	result      chan result
}

type result struct {
	code string
	err  error
}

// ServeHTTP takes the authorization response (RFC 6749 section 4.1.2). What does not belong
// to this attempt changes nothing: anything on this machine, and any page in the browser,
// can send requests here.
func (a *attempt) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Host != a.host || r.URL.Path != a.path || r.Method != http.MethodGet:
		page(w, http.StatusNotFound, "There is nothing here.")
		return
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.state)) != 1:
		page(w, http.StatusBadRequest, "This is the answer to another sign-in, and nothing has been done with it.")
		return
	}
	got := a.read(q)
	select {
	case a.result <- got:
	default: // the answer has come before
		page(w, http.StatusBadRequest, "This answer has been used.")
		return
	}
	if got.err != nil {
		page(w, http.StatusOK, "You are not signed in. What went wrong stands in the terminal.")
		return
	}
	page(w, http.StatusOK, "That is all here: go back to the terminal. You may close this window.")
}

func (a *attempt) read(q url.Values) result {
	// RFC 9207 section 2.4: another issuer's answer, taken for this one's, would send the
	// code to where it can be stolen.
	switch iss := q["iss"]; {
	case len(iss) > 1, len(iss) == 1 && iss[0] != a.issuer:
		return result{err: fmt.Errorf("the answer is from another provider, %s, than the one that was asked, %s", clean(iss[0]), clean(a.issuer))}
	case len(iss) == 0 && a.sendsIssuer:
		return result{err: fmt.Errorf("the answer does not say that it is from %s, which promises to", clean(a.issuer))}
	}
	if code := q.Get("error"); code != "" {
		return result{err: errors.New((&provider{issuer: a.issuer}).said(code, q.Get("error_description")))}
	}
	if len(q["code"]) != 1 || q.Get("code") == "" {
		return result{err: fmt.Errorf("the answer of %s has no code in it", clean(a.issuer))}
	}
	return result{code: q.Get("code")}
}

func page(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
