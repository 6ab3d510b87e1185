package e2e

import (
	"net/http"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// behindCaddy starts claimproxy and a Caddy in front that asks it, with the piece of
// docs/forward-auth.md, to the letter but for addresses.
func behindCaddy(t *testing.T, routes ...string) (s *site, app *recorder, provider *devprovider.Server) {
	t.Helper()
	need(t, caddy)
	s, app, provider = asked(t, "x-forwarded", routes...)
	front := mustParse(t, s.url).Port()
	file := s.write("Caddyfile", "{\n\tadmin off\n}\n"+changed(t, "caddy",
		"telemetry.example.org {", "http://localhost:"+front+", http://*.localhost:"+front+" {",
		"127.0.0.1:8080", s.Listen,
		"127.0.0.1:8000", mustParse(t, app.url).Host,
	))
	p, err := startProcess("caddy", s.dir, []string{"HOME=" + s.dir, "XDG_DATA_HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir}, "caddy", "run", "--adapter", "caddyfile", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	s.start()
	eventually(t, patience, "claimproxy answers behind Caddy", func() bool {
		resp, err := newClient(nil).Get(s.url + "/.auth/style.css")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s, app, provider
}
