package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse gives the package whatever a file may hold. Nothing makes it panic, what
// it reports can be shown, and what it accepts is complete.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, exampleFile) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(smallest))
	env := world()
	f.Fuzz(func(t *testing.T, data []byte) {
		c, r := Parse("claimproxy.yaml", data, env)
		var b strings.Builder
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		for _, fault := range append(r.Errors, r.Warnings...) {
			if fault.Message == "" || fault.At.File == "" || fault.At.Line > 0 && fault.At.Column < 1 {
				t.Errorf("a fault without message or place: %+v", fault)
			}
		}
		if (c == nil) == r.OK() {
			t.Fatalf("got %v and\n%s", c, b.String())
		}
		if c == nil {
			return
		}
		if c.PublicURL.Scheme != "https" && c.PublicURL.Scheme != "http" || c.PublicURL.Hostname() == "" || len(c.Routes) == 0 || len(c.Listen) == 0 {
			t.Errorf("accepted: %+v", c)
		}
		for _, route := range c.Routes {
			if u := route.Upstream.Upstream; u == nil && (route.Upstream.Ref != "" || c.ForwardAuth == ForwardAuthOff) || u != nil && (len(u.URLs()) == 0 || u.URLs()[0] == nil || u.Timeout <= 0) || len(route.Hosts) == 0 || len(route.SignIn) == 0 ||
				len(route.IdentityHeaders) == 0 || (route.Allow == nil) == (len(route.Rules) == 0) || !strings.HasPrefix(route.Path, "/") {
				t.Errorf("accepted: %+v", route)
			}
		}
		for _, test := range c.Tests {
			for _, r := range test.Requests {
				if at, path := c.Place(&test.Requests[0]); !strings.HasPrefix(r.Path, "/") || r.Method == "" || r.Host == "" || at.Line == 0 || path == "" {
					t.Errorf("accepted: %+v", r)
				}
			}
			if len(test.Requests) == 0 || test.Expect == "" || !test.From.IsValid() || test.As != nil && test.Claims != nil {
				t.Errorf("accepted: %+v", test)
			}
		}
		c.RedirectURIs()
		c.Definitions()
	})
}
