package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// setup is claimproxy as a row measures it.
type setup struct {
	path string
	// person signs in with a browser, client is whose access token is sent instead, and
	// differing sends another one each time. None of them sends no credentials.
	person    string
	client    string
	differing bool
	redis     bool
	at        string // the address of that Redis; empty for one of its own
	// way is how requests come.
	way way
	// routes is how many further routes there are, each with a policy of its own.
	routes int
	// want is an answer of claimproxy's own; nil is one of the upstream.
	want *expectation
}

// ours starts claimproxy.
func ours(s setup) maker {
	return maker{"claimproxy", func(w *world) (*contender, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp(w.dir, "site-")
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(addr)
		host := "localhost:" + port
		config, err := w.configuration(s, addr, host, dir)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "claimproxy.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return nil, err
		}
		w.provider.SetClient(devprovider.Client{ID: "web-" + port, Secret: "web-secret", RedirectURIs: []string{s.way.scheme() + host + "/.auth/callback/invent"}})
		p, err := w.start(addr, true, nil, w.binary, "serve", "--config", file)
		if err != nil {
			return nil, err
		}
		c := &contender{process: p, addr: addr, forwards: s.want == nil, dial: s.way.dialer(addr)}
		return c, w.credentials(s, host, c)
	}}
}

// credentials gives a contender its requests.
func (w *world) credentials(s setup, host string, c *contender) error {
	want := s.want
	switch {
	case s.differing:
		tokens, err := w.tokens()
		if err != nil {
			return err
		}
		c.next = differing(host, s.path, tokens, fromUpstream(s.path, few, fewGroups))
	case s.client != "":
		token, err := w.token(s.client)
		if err != nil {
			return err
		}
		c.next = always(request(host, s.path, "Authorization: Bearer "+token), fromUpstream(s.path, few, fewGroups))
	case s.person != "":
		cookies, err := w.signIn(s.way.scheme()+host+"/x", s.person)
		if err != nil {
			return err
		}
		n := fewGroups
		if s.person == many {
			n = manyGroups
		}
		c.next = always(request(host, s.path, "Cookie: "+cookies), fromUpstream(s.path, s.person, n))
	case want == nil:
		c.next = always(request(host, s.path), fromUpstream(s.path, "-", 0))
	default:
		c.next = always(request(host, s.path), want)
	}
	return nil
}

// configuration is the text of the file.
func (w *world) configuration(s setup, addr, host, dir string) (string, error) {
	var b strings.Builder
	_, port, _ := net.SplitHostPort(addr)
	if s.way != plainly {
		c, err := w.certificate()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "tls: {cert: %s, key: %s}\n", c.cert, c.key)
	}
	fmt.Fprintf(&b, `public_url: %s%s
listen: %s
state_dir: %s/state
providers:
  - id: invent
    issuer: %s
    client_id: web-%s
    client_secret: web-secret
    clients:
      - {client_id: native, client_secret: native-secret}
      - {client_id: jwt}
    bearer: {audiences: [load]}
limits: {sign_ins_per_minute: 0, failed_tokens_per_minute: 0}
`, s.way.scheme(), host, addr, dir, w.provider.Issuer(), port)
	if s.redis {
		server, err := s.at, error(nil)
		if server == "" {
			server, err = w.redis()
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "session:\n  store: redis\n  redis: {url: \"redis://%s/0\"}\n  secrets: [%q]\n", server, "b7f1d0c4e95a4c2f8a3de60719cb52f4a1e8937d5c06b2f49e7d1a83c5f0246b")
	}
	fmt.Fprintf(&b, "upstreams:\n  app: {url: \"http://%s\"}\npolicies:\n  developers: groups contains %s\n", w.upstream, developers)
	for i := range s.routes {
		fmt.Fprintf(&b, "  p%d: groups contains any of [teams/t%d, %s]\n", i, i, developers)
	}
	b.WriteString("routes:\n  - {path: /public/, upstream: app, allow: public}\n")
	for i := range s.routes {
		fmt.Fprintf(&b, "  - {path: /app%d/team/, upstream: app, allow: p%d}\n", i, i)
	}
	b.WriteString("  - {path: /, upstream: app, allow: developers}\n")
	return b.String(), nil
}

// redis starts a Redis that keeps nothing on the disk.
func (w *world) redis() (addr string, err error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return "", errNotInstalled
	}
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	_, err = w.start(addr, false, nil, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
	return addr, err
}

// signIn signs a person in at a site as a browser does, and returns its cookies there.
func (w *world) signIn(page, person string) (cookies string, err error) {
	w.provider.SignInAs(person)
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/html")
	res, err := (&http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: clientTLS()}}).Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("signing in ended with status %d at %s", res.StatusCode, res.Request.URL)
	}
	u, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; "), nil
}
