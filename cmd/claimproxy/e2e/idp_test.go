package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// idp is a running identity provider.
type idp struct {
	// kind is "doorkeeper" or "oidc-provider".
	kind   string
	issuer string
	// Paths of the endpoints that clients use, as discovery names them.
	authorizePath, tokenPath, introspectPath, revokePath, userinfoPath string

	dir     string
	process *process
	launch  func(env ...string) (*process, error)
}

// newDoorkeeper starts a Doorkeeper for this test alone. It can be stopped and
// started again; env are the switches of the fixture.
func newDoorkeeper(t testing.TB, env ...string) *idp {
	t.Helper()
	need(t, rubyGems)
	return own(t, doorkeeper(t, t.TempDir()), env...)
}

// newOIDCProvider starts an oidc-provider for this test alone.
func newOIDCProvider(t testing.TB, env ...string) *idp {
	t.Helper()
	need(t, nodeModules)
	return own(t, oidcProvider(t, t.TempDir()), env...)
}

func own(t testing.TB, p *idp, env ...string) *idp {
	t.Helper()
	t.Cleanup(func() {
		if p.process != nil {
			p.process.kill()
		}
	})
	p.start(t, env...)
	return p
}

// sharedDoorkeeper returns the Doorkeeper that all tests of a run share. Tests
// that change people make people of their own for it.
func sharedDoorkeeper(t testing.TB) *idp {
	t.Helper()
	need(t, rubyGems)
	return sharedIDP(t, &theDoorkeeper, doorkeeper)
}

// sharedOIDCProvider returns the oidc-provider that all tests of a run share.
func sharedOIDCProvider(t testing.TB) *idp {
	t.Helper()
	need(t, nodeModules)
	return sharedIDP(t, &theOIDCProvider, oidcProvider)
}

type once struct {
	sync.Mutex
	idp *idp
	err error
}

var theDoorkeeper, theOIDCProvider once

func sharedIDP(t testing.TB, o *once, make func(testing.TB, string) *idp) *idp {
	t.Helper()
	o.Lock()
	defer o.Unlock()
	if o.idp == nil && o.err == nil {
		p := make(t, scratch)
		if p.process, o.err = p.launch(); o.err == nil {
			share(p.process)
			o.err = p.process.ready(p.issuer + "/.well-known/openid-configuration")
		}
		o.idp = p
	}
	if o.err != nil {
		t.Fatal(o.err)
	}
	o.idp.process.showOnFailure(t)
	return o.idp
}

func doorkeeper(t testing.TB, dir string) *idp {
	port := freePort(t)
	p := &idp{
		kind:           "doorkeeper",
		issuer:         "http://" + loopback(port),
		dir:            filepath.Join(dir, "doorkeeper"),
		authorizePath:  "/oauth/authorize",
		tokenPath:      "/oauth/token",
		introspectPath: "/oauth/introspect",
		revokePath:     "/oauth/revoke",
		userinfoPath:   "/oauth/userinfo",
	}
	p.launch = func(env ...string) (*process, error) {
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return nil, err
		}
		env = append(env, "ISSUER="+p.issuer, "STATE_DIR="+p.dir, "PEOPLE="+fixture("people.json"),
			"RAILS_ENV=production", "RACK_ENV=production")
		return startProcess("Doorkeeper", fixture("doorkeeper"), env,
			"puma", "-b", "tcp://"+loopback(port), "-t", "4:16", "-w", "0", "-e", "production", "-q", "config.ru")
	}
	return p
}

func oidcProvider(t testing.TB, dir string) *idp {
	p := &idp{
		kind:           "oidc-provider",
		issuer:         "http://" + loopback(freePort(t)),
		dir:            filepath.Join(dir, "oidc-provider"),
		authorizePath:  "/auth",
		tokenPath:      "/token",
		introspectPath: "/token/introspection",
		revokePath:     "/token/revocation",
		userinfoPath:   "/me",
	}
	p.launch = func(env ...string) (*process, error) {
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return nil, err
		}
		env = append(env, "ISSUER="+p.issuer, "STATE_DIR="+p.dir, "PEOPLE="+fixture("people.json"))
		return startProcess("oidc-provider", fixture("oidc-provider"), env, node(), "provider.mjs")
	}
	return p
}

// fixture returns the path of a file of testdata.
func fixture(name string) string {
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		panic(err)
	}
	return path
}

// start starts the provider: for the first time, or again on the same port and
// with everything that it knew.
func (p *idp) start(t testing.TB, env ...string) {
	t.Helper()
	var err error
	if p.process, err = p.launch(env...); err != nil {
		t.Fatal(err)
	}
	p.process.showOnFailure(t)
	if err := p.process.ready(p.issuer + "/.well-known/openid-configuration"); err != nil {
		t.Fatal(err)
	}
}

// stop ends the provider; its port refuses connections from then on.
func (p *idp) stop(t testing.TB) {
	t.Helper()
	if _, err := p.process.stop(); err != nil {
		t.Fatal(err)
	}
}

// person is somebody who has an account at the providers.
type person struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
}

// people are those of testdata/people.json, known to every provider.
var people = sync.OnceValue(func() map[string]person {
	data, err := os.ReadFile(fixture("people.json"))
	if err != nil {
		panic(err)
	}
	var list []person
	if err := json.Unmarshal(data, &list); err != nil {
		panic(err)
	}
	byName := make(map[string]person, len(list))
	for _, p := range list {
		byName[p.Username] = p
	}
	return byName
})

var newcomers atomic.Int64

// newPerson makes a person whom no other test knows, so that it can be changed.
func (p *idp) newPerson(t testing.TB, groups ...string) person {
	t.Helper()
	name := fmt.Sprintf("newcomer-%d", newcomers.Add(1))
	who := person{Username: name, Password: name + "-pass", Name: "Newcomer", Email: name + "@example.test", Groups: groups}
	p.change(t, who, map[string]any{
		"password": who.Password, "name": who.Name, "email": who.Email, "groups": groups, "direct": groups, "developer": groups,
	})
	return who
}

// change merges fields into what the provider knows of a person.
func (p *idp) change(t testing.TB, who person, fields map[string]any) {
	t.Helper()
	p.fixtureCall(t, http.MethodPut, "/_fixture/people/"+who.Username, fields)
}

// revokeAll ends every token of the person, as an administrator would.
func (p *idp) revokeAll(t testing.TB, who person) {
	t.Helper()
	p.fixtureCall(t, http.MethodPost, "/_fixture/people/"+who.Username+"/revoke", nil)
}

// expireAll makes every opaque access token of the person older than its life.
func (p *idp) expireAll(t testing.TB, who person) {
	t.Helper()
	p.fixtureCall(t, http.MethodPost, "/_fixture/people/"+who.Username+"/expire", nil)
}

// register adds redirect URIs to a client.
func (p *idp) register(t testing.TB, client string, redirectURIs ...string) {
	t.Helper()
	p.fixtureCall(t, http.MethodPut, "/_fixture/clients/"+client, map[string]any{"redirect_uris": redirectURIs})
}

func (p *idp) fixtureCall(t testing.TB, method, path string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	req, err := http.NewRequest(method, p.issuer+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if a := send(t, plainClient, req); a.status != http.StatusOK {
		t.Fatalf("%s %s: got status %d, want 200\n%s", method, path, a.status, a.body)
	}
}
