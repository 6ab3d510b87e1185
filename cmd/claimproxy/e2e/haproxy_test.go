package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// startHAProxy starts an HAProxy with this configuration.
func startHAProxy(t *testing.T, s *site, config string) *process {
	t.Helper()
	file := s.write("haproxy.cfg", config)
	p, err := startProcess("HAProxy", s.dir, nil, haproxyProgram(), "-db", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	return p
}

// behindHAProxy starts claimproxy and an HAProxy in front that asks it, with the pieces of
// docs/forward-auth.md, to the letter but for addresses.
func behindHAProxy(t *testing.T, routes ...string) (s *site, app *recorder, provider *devprovider.Server) {
	t.Helper()
	need(t, haproxy)
	s, app, provider = asked(t, "x-forwarded", routes...)
	front := mustParse(t, s.url).Port()
	s.write("claimproxy.lua", changed(t, "lua", "127.0.0.1:8080", s.Listen))
	startHAProxy(t, s, changed(t, "haproxy",
		"/etc/haproxy/claimproxy.lua", filepath.Join(s.dir, "claimproxy.lua"),
		"bind :443 ssl crt /etc/haproxy/telemetry.pem alpn h2,http/1.1", "bind 127.0.0.1:"+front,
		"hdr(host) -i telemetry.example.org", "hdr(host),field(1,:) -i -m reg ^([a-z]+[.])?localhost$",
		"127.0.0.1:8080", s.Listen,
		"127.0.0.1:8000", mustParse(t, app.url).Host,
	))
	s.start()
	eventually(t, patience, "claimproxy answers behind HAProxy", func() bool {
		resp, err := plainClient.Get(s.url + "/.auth/style.css")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s, app, provider
}

// TestHAProxyLetsNobodyInWhenItCannotAsk: HAProxy goes on after an action of Lua that has
// failed, so the line below it has to deny.
func TestHAProxyLetsNobodyInWhenItCannotAsk(t *testing.T) {
	t.Parallel()
	s, app, provider := behindHAProxy(t)
	ada := "Authorization: Bearer " + provider.Issue("ada", "proxy-web", "openid profile email").AccessToken
	get(t, s.url+"/api", ada).wantStatus(t, http.StatusOK)
	before := app.count()

	// A question that claimproxy does not take: it does not trust this peer.
	text := s.config
	s.config = strings.Replace(text, "trusted_proxies: [127.0.0.1]", "trusted_proxies: [127.0.0.9]", 1)
	s.restart()
	get(t, s.url+"/api", ada).wantStatus(t, http.StatusServiceUnavailable)
	get(t, s.url+"/open/", ada).wantStatus(t, http.StatusServiceUnavailable)

	// Nobody there to be asked.
	s.stop()
	get(t, s.url+"/api", ada).wantStatus(t, http.StatusServiceUnavailable)
	get(t, s.url+"/open/", forged...).wantStatus(t, http.StatusServiceUnavailable)
	if app.count() != before {
		t.Error("the application was reached though nobody could be asked")
	}

	s.config = text
	s.start()
	eventually(t, patience, "HAProxy reaches claimproxy again", func() bool { return get(t, s.url+"/api", ada).status == http.StatusOK })
}

// TestHAProxyLetsNobodyInWhenItsLuaIsBroken.
func TestHAProxyLetsNobodyInWhenItsLuaIsBroken(t *testing.T) {
	t.Parallel()
	need(t, haproxy)
	s, app, _ := asked(t, "x-forwarded")
	s.write("claimproxy.lua", changed(t, "lua", "127.0.0.1:8080", s.Listen, `core.httpclient()`, `core.no_such_client()`))
	startHAProxy(t, s, changed(t, "haproxy",
		"/etc/haproxy/claimproxy.lua", filepath.Join(s.dir, "claimproxy.lua"),
		"bind :443 ssl crt /etc/haproxy/telemetry.pem alpn h2,http/1.1", "bind 127.0.0.1:"+mustParse(t, s.url).Port(),
		"{ hdr(host) -i telemetry.example.org }", "{ always_true }",
		"127.0.0.1:8080", s.Listen,
		"127.0.0.1:8000", mustParse(t, app.url).Host,
	))
	s.start()
	eventually(t, patience, "HAProxy denies", func() bool {
		resp, err := plainClient.Get(s.url + "/open/")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	if app.count() != 0 {
		t.Error("the application was reached past an action that has failed")
	}
}
