package config

import (
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
)

// including is the beginning of a file that includes others.
const including = `public_url: https://a.example.org
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
`

// loadFiles loads /etc/claimproxy/claimproxy.yaml out of a few files, by their names
// relative to its directory.
func loadFiles(files map[string]string) (*Config, *Report) {
	tree := make(fstest.MapFS)
	for name, text := range files {
		tree["etc/claimproxy/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
	}
	env := world()
	env.ReadFile = func(name string) ([]byte, error) { return fs.ReadFile(tree, strings.TrimPrefix(name, "/")) }
	env.Glob = func(pattern string) ([]string, error) {
		names, err := fs.Glob(tree, strings.TrimPrefix(pattern, "/"))
		for i := range names {
			names[i] = "/" + names[i]
		}
		slices.Reverse(names) // nobody has promised an order
		return names, err
	}
	return Load("/etc/claimproxy/claimproxy.yaml", env)
}

func TestIncludedFilesAddToTheMainOne(t *testing.T) {
	c, r := loadFiles(map[string]string{
		"claimproxy.yaml": "include: [conf.d/*.yaml, /etc/claimproxy/last.yaml]\n" + including + `
policies: {main: groups contains main}
upstreams: {main: {url: "http://127.0.0.1:1"}}
routes:
  - {path: /main, upstream: main, allow: main}
`,
		"conf.d/b.yaml": "policies: {b: policy a}\nroutes: [{path: /b/, upstream: a, allow: b}]\n",
		"conf.d/a.yaml": `
policies:
  a:
    require: {any: [groups contains a, policy main]}
upstreams:
  a: {url: "http://127.0.0.1:2"}
routes:
  - {path: /a/1, upstream: a, allow: a}
  - {path: /a/2, upstream: main, rules: [{methods: GET, allow: last}]}
`,
		"conf.d/.#a.yaml": "this is what an editor leaves",
		"conf.d/README":   "not matched",
		"last.yaml":       "policies: {last: groups contains last}\n",
	})
	if got := rendered(t, r); got != "" {
		t.Fatal(got)
	}
	var got []string
	for i := range c.Policies {
		at, path := c.Place(&c.Policies[i].Name)
		got = append(got, fmt.Sprint(at, " ", path))
	}
	for i := range c.Routes {
		at, path := c.Place(&c.Routes[i].Path)
		got = append(got, fmt.Sprint(at, " ", path, " ", c.Routes[i].Upstream.URL[0]))
	}
	at, path := c.Place(&c.Routes[2].Rules[0].Methods)
	got = append(got, fmt.Sprint(at, " ", path))
	want := []string{
		"/etc/claimproxy/claimproxy.yaml:5:12 policies.main",
		"/etc/claimproxy/conf.d/a.yaml:3:3 policies.a",
		"/etc/claimproxy/conf.d/b.yaml:1:12 policies.b",
		"/etc/claimproxy/last.yaml:1:12 policies.last",
		"/etc/claimproxy/claimproxy.yaml:8:12 routes[0].path http://127.0.0.1:1",
		"/etc/claimproxy/conf.d/a.yaml:8:12 routes[0].path http://127.0.0.1:2",
		"/etc/claimproxy/conf.d/a.yaml:9:12 routes[1].path http://127.0.0.1:1",
		"/etc/claimproxy/conf.d/b.yaml:2:17 routes[0].path http://127.0.0.1:2",
		"/etc/claimproxy/conf.d/a.yaml:9:52 routes[1].rules[0].methods",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files := []string{"/etc/claimproxy/claimproxy.yaml", "/etc/claimproxy/conf.d/a.yaml", "/etc/claimproxy/conf.d/b.yaml", "/etc/claimproxy/last.yaml"}
	if diff := cmp.Diff(files, c.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got, want := c.Definitions()[1].Require.Any[0].At, (policy.Position{File: "/etc/claimproxy/conf.d/a.yaml", Line: 4, Column: 21}); got != want {
		t.Errorf("a condition: got %v, expected %v", got, want)
	}
}

func TestFilesListsWhatTheConfigurationNames(t *testing.T) {
	c, r := Load("/etc/claimproxy/claimproxy.yaml", func() Env {
		env := world()
		read := env.ReadFile
		env.ReadFile = func(name string) ([]byte, error) {
			if path.Base(name) == "claimproxy.yaml" {
				return []byte(withSecret("{file: secret}")), nil
			}
			return read(name)
		}
		return env
	}())
	if c == nil {
		t.Fatal(rendered(t, r))
	}
	if diff := cmp.Diff([]string{"/etc/claimproxy/claimproxy.yaml", "/etc/claimproxy/secret"}, c.Files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The museum of mistakes that take more than one file: what is said about them, to the
// letter, without the directory.
func TestFaultsOfSeveralFiles(t *testing.T) {
	route := func(rest string) string {
		return "  - {upstream: \"http://127.0.0.1:8000\", allow: public, " + rest + "}\n"
	}
	main := "include: conf.d/*.yaml\n" + including
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"all files' faults at once, the main file's first", map[string]string{
			"claimproxy.yaml": main + "listne: x\nroutes:\n" + route("path: x"),
			"conf.d/a.yaml":   "routes:\n" + route("pth: /a"),
			"conf.d/b.yaml":   "policies:\n  x: groups contains b or\n",
		}, `
claimproxy.yaml:4:1: listne: unknown key "listne" (did you mean "listen"?)
    4 | listne: x
      | ^^^^^^
claimproxy.yaml:6:62: routes[0].path: expected a path that begins with /, got "x" (did you mean /x?)
    6 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: x}
      |                                                              ^
conf.d/a.yaml:2:56: routes[0].pth: unknown key "pth" (did you mean "path"?)
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, pth: /a}
      |                                                        ^^^
conf.d/b.yaml:2:26: policies.x: a condition is missing after or
    2 |   x: groups contains b or
      |                          ^
4 errors
`},
		{"keys of the main file", map[string]string{
			"claimproxy.yaml": main + "routes:\n" + route("path: /"),
			"conf.d/a.yaml":   "listen: 127.0.0.1:1\ninclude: more/*.yaml\nsesion: {}\npolcies: {}\ntimeout: 1s\n",
		}, `
conf.d/a.yaml:1:1: listen: the key "listen" cannot stand in an included file (it belongs to the main file, claimproxy.yaml)
    1 | listen: 127.0.0.1:1
      | ^^^^^^
conf.d/a.yaml:2:1: include: the key "include" cannot stand in an included file (an included file includes no further ones: list them in the main file, claimproxy.yaml)
    2 | include: more/*.yaml
      | ^^^^^^^
conf.d/a.yaml:3:1: sesion: unknown key "sesion" (did you mean "session"? it belongs to the main file, claimproxy.yaml)
    3 | sesion: {}
      | ^^^^^^
conf.d/a.yaml:4:1: polcies: unknown key "polcies" (did you mean "policies"?)
    4 | polcies: {}
      | ^^^^^^^
conf.d/a.yaml:5:1: timeout: unknown key "timeout" (it belongs to upstreams.NAME)
    5 | timeout: 1s
      | ^^^^^^^
5 errors
`},
		{"a secret in an included file is masked", map[string]string{
			"claimproxy.yaml": main + "routes:\n" + route("path: /"),
			"conf.d/a.yaml":   "routes:\n" + route("path: /a, client_secret: "+sentinel),
		}, `
conf.d/a.yaml:2:62: routes[0].path: this route can never match: routes[0] in claimproxy.yaml:5 matches all that it does (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /a, client_secret: ***
      |                                                              ^^
conf.d/a.yaml:2:66: routes[0].client_secret: unknown key "client_secret" (it belongs to providers[] or providers[].clients[])
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /a, client_secret: ***
      |                                                                  ^^^^^^^^^^^^^
2 errors
`},
		{"names that two files define", map[string]string{
			"claimproxy.yaml": main + "policies: {a: groups contains a}\nupstreams: {u: {url: \"http://127.0.0.1:1\"}}\nroutes:\n" + route("path: /"),
			"conf.d/a.yaml":   "policies:\n  b: groups contains b\n",
			"conf.d/b.yaml":   "policies:\n  b: groups contains c\n  a: policy b\nupstreams:\n  u: {url: \"http://127.0.0.1:1\"}\npeople:\n  dev: {}\n",
			"conf.d/c.yaml":   "people:\n  dev: {}\n",
		}, `
conf.d/b.yaml:2:3: policies.b: the policy "b" is defined already, in conf.d/a.yaml:2
    2 |   b: groups contains c
      |   ^
conf.d/b.yaml:3:3: policies.a: the policy "a" is defined already, in claimproxy.yaml:4
    3 |   a: policy b
      |   ^
conf.d/b.yaml:5:3: upstreams.u: the upstream "u" is defined already, in claimproxy.yaml:5
    5 |   u: {url: "http://127.0.0.1:1"}
      |   ^
conf.d/c.yaml:2:3: people.dev: the person "dev" is defined already, in conf.d/b.yaml:7
    2 |   dev: {}
      |   ^^^
4 errors
`},
		{"a name that is no file, and what may be in it", map[string]string{
			"claimproxy.yaml": "include: [teams.yaml, none/*.yaml]\n" + including + "routes:\n  - {path: /, upstream: elsewhere, allow: elsewhere}\n",
		}, `
claimproxy.yaml:1:11: include[0]: the included file cannot be read: open etc/claimproxy/teams.yaml: file does not exist
    1 | include: [teams.yaml, none/*.yaml]
      |           ^^^^^^^^^^
1 error
`},
		{"a file that is not YAML hides no other", map[string]string{
			"claimproxy.yaml": main + "listen: x\nroutes:\n  - {path: /, upstream: elsewhere, allow: elsewhere}\n",
			"conf.d/a.yaml":   "policies: {a: b\n",
			"conf.d/b.yaml":   "routes: 5\n",
			"conf.d/c.yaml":   "# nothing\n",
		}, `
claimproxy.yaml:4:9: listen: expected host:port, as in 127.0.0.1:8080, got "x" (did you mean x:8080?)
    4 | listen: x
      |         ^
conf.d/a.yaml:1:11: what this bracket opens is not closed, or holds something that must be quoted
    1 | policies: {a: b
      |           ^
conf.d/b.yaml:1:9: routes: expected a list, got the number 5
    1 | routes: 5
      |         ^
conf.d/c.yaml: the file is empty: expected at least policies, upstreams, routes, people or tests
4 errors
`},
		{"a file twice, and the main file", map[string]string{
			"claimproxy.yaml": "include: [conf.d/a.yaml, ./conf.d/*.yaml, \"*.yaml\"]\n" + including,
			"conf.d/a.yaml":   "routes:\n" + route("path: /"),
		}, `
claimproxy.yaml:1:26: include[1]: the file "conf.d/a.yaml" is included already, by include[0]
    1 | include: [conf.d/a.yaml, ./conf.d/*.yaml, "*.yaml"]
      |                          ^^^^^^^^^^^^^^^
claimproxy.yaml:1:43: include[2]: the file cannot include itself, and "*.yaml" names it (keep the files to include in a directory of their own)
    1 | include: [conf.d/a.yaml, ./conf.d/*.yaml, "*.yaml"]
      |                                           ^^^^^^^^
2 errors
`},
		{"what cannot be shown", map[string]string{
			"claimproxy.yaml": "include: secret\n" + including + "routes:\n" + route("path: /"),
			"secret":          sentinel + "\n",
		}, `
claimproxy.yaml:1:10: include: the included file "secret" is no mapping: expected one with policies, upstreams, routes, people or tests
    1 | include: secret
      |          ^^^^^^
1 error
`},
		{"tests in included files", map[string]string{
			"claimproxy.yaml": main + "people: {dev: {}}\nroutes:\n" + route("path: /"),
			"conf.d/a.yaml":   "tests:\n  - {request: GET /, as: [dev, ops], expect: allow}\n  - {request: GET https://b.example.org/, expect: deny}\n",
			"conf.d/b.yaml":   "people: {ops: {provider: lab}}\n",
		}, `
conf.d/a.yaml:3:15: tests[1].request: no route names the host "b.example.org", so that nothing but not-found can be expected (did you mean "a.example.org"?)
    3 |   - {request: GET https://b.example.org/, expect: deny}
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^^
conf.d/b.yaml:1:26: people.ops.provider: there is no provider "lab" (there is invent alone)
    1 | people: {ops: {provider: lab}}
      |                          ^^^
2 errors
`},
		{"patterns that are none", map[string]string{
			"claimproxy.yaml": "include: [\"\", \"[a.yaml\", \"conf.d/**/*.yaml\", 5]\n" + including,
		}, `
claimproxy.yaml:1:11: include[0]: expected the name of a file or a pattern, got an empty string
    1 | include: ["", "[a.yaml", "conf.d/**/*.yaml", 5]
      |           ^
claimproxy.yaml:1:15: include[1]: expected the name of a file or a pattern, got "[a.yaml": syntax error in pattern
    1 | include: ["", "[a.yaml", "conf.d/**/*.yaml", 5]
      |               ^^^^^^^^^
claimproxy.yaml:1:26: include[2]: expected the name of a file or a pattern, got "conf.d/**/*.yaml": ` + "`*`" + ` never stands for a slash (write a pattern for each depth, as in [conf.d/*.yaml, conf.d/*/*.yaml])
    1 | include: ["", "[a.yaml", "conf.d/**/*.yaml", 5]
      |                          ^^^^^^^^^^^^^^^^^^
claimproxy.yaml:1:46: include[3]: expected a string, got the number 5 (quote it: "5")
    1 | include: ["", "[a.yaml", "conf.d/**/*.yaml", 5]
      |                                              ^
4 errors
`},
		{"no routes in any file", map[string]string{
			"claimproxy.yaml": main,
			"conf.d/a.yaml":   "policies: {a: groups contains a}\n",
		}, `
claimproxy.yaml:1:1: routes: this key is missing
    1 | include: conf.d/*.yaml
      | ^
1 error
`},
		{"a route that another file's hides, and routes that overlap", map[string]string{
			"claimproxy.yaml": main + "routes:\n" + route("path: /admin/*/x") + route("path: /api/"),
			"conf.d/a.yaml":   "routes:\n" + route("path: /admin/1/") + route("path: /admin/2/") + route("path: /y, host: '*.example.org'"),
			"conf.d/b.yaml":   "routes:\n" + route("path: /") + route("path: /api/v1, host: [b.example.org, a.example.org]"),
		}, `
conf.d/b.yaml:3:93: routes[1].host[1]: this route with the host a.example.org can never match: routes[1] in claimproxy.yaml:6 matches all that it does (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    3 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /api/v1, host: [b.example.org, a.example.org]}
      |                                                                                             ^^^^^^^^^^^^^
conf.d/a.yaml:2:5: warning: routes[0]: some of what this route matches is decided elsewhere: by routes[0] in claimproxy.yaml:5 (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /admin/1/}
      |     ^
conf.d/a.yaml:3:5: warning: routes[1]: some of what this route matches is decided elsewhere: by routes[0] in claimproxy.yaml:5 (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    3 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /admin/2/}
      |     ^
conf.d/b.yaml:2:5: warning: routes[0]: some of what this route matches is decided elsewhere: by routes[0] in claimproxy.yaml:5, and 1 more route there (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /}
      |     ^
conf.d/b.yaml:2:5: warning: routes[0]: some of what this route matches is decided elsewhere: by routes[0] in conf.d/a.yaml:2, and 2 more routes there (the first route that matches decides: the file that includes decides before those it includes, and these in the order of include)
    2 |   - {upstream: "http://127.0.0.1:8000", allow: public, path: /}
      |     ^
1 error, 4 warnings
`},
		{"what is not used", map[string]string{
			"claimproxy.yaml": main + "policies: {a: groups contains a}\nroutes:\n" + route("path: /"),
			"conf.d/a.yaml":   "policies: {b: groups contains b}\npeople: {dev: {}, ops: {}}\ntests: [{request: GET /, as: dev, expect: allow}]\n",
		}, `
claimproxy.yaml:4:12: warning: policies.a: no route uses this policy
    4 | policies: {a: groups contains a}
      |            ^
conf.d/a.yaml:1:12: warning: policies.b: no route uses this policy
    1 | policies: {b: groups contains b}
      |            ^
conf.d/a.yaml:2:19: warning: people.ops: no test uses this person
    2 | people: {dev: {}, ops: {}}
      |                   ^^^
3 warnings
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := loadFiles(test.files)
			got := strings.ReplaceAll(rendered(t, r), "/etc/claimproxy/", "")
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (c == nil) == r.OK() {
				t.Errorf("got %v", c)
			}
		})
	}
}

// A key that both kinds of files have means the same in both.
func TestIncludedKeysAreThoseOfTheMainFile(t *testing.T) {
	own := fieldsOf(reflect.TypeFor[Config]())
	for name, f := range fieldsOf(reflect.TypeFor[included]()).byName {
		if g := own.byName[name]; g == nil || g.options != f.options || reflect.TypeFor[Config]().Field(g.index).Type != reflect.TypeFor[included]().Field(f.index).Type {
			t.Errorf("%s differs", name)
		}
	}
}

// The name of a directory is no pattern.
func TestIncludeInADirectoryWithSigns(t *testing.T) {
	var asked []string
	env := world()
	env.Glob = func(pattern string) ([]string, error) { asked = append(asked, pattern); return nil, nil }
	Parse("/etc/[claim]*/claimproxy.yaml", []byte("include: conf.d/*.yaml\n"+strings.TrimPrefix(smallest, "\n")), env)
	if want := []string{`/etc/\[claim]\*/conf.d/*.yaml`, `/etc/\[claim]\*/conf.d/*.yml`}; !slices.Equal(asked, want) {
		t.Errorf("got %s, expected %s", asked, want)
	}
}

// TestFilesThatAreMissedByTheEndingOfTheirName are told, or a team's rules would be
// nowhere and nobody would know.
func TestFilesThatAreMissedByTheEndingOfTheirName(t *testing.T) {
	files := map[string]string{
		"conf.d/a.yaml": "routes: [{path: /a, upstream: \"http://127.0.0.1:1\", allow: public}]\n",
		"conf.d/b.yml":  "routes: [{path: /b, upstream: \"http://127.0.0.1:1\", allow: public}]\n",
	}
	for include, want := range map[string][]string{
		"conf.d/*.yaml": {`"/etc/claimproxy/conf.d/b.yml" is not included: its name ends in .yml`},
		"conf.d/*.yml":  {`"/etc/claimproxy/conf.d/a.yaml" is not included: its name ends in .yaml`},
		"conf.d/*":      nil, "[conf.d/*.yml, conf.d/*.yaml]": nil, "conf.d/a.yaml": nil,
	} {
		files["claimproxy.yaml"] = "include: " + include + "\n" + including
		_, r := loadFiles(files)
		var got []string
		for _, f := range r.Warnings {
			got = append(got, f.Message)
		}
		if diff := cmp.Diff(want, got); diff != "" || !r.OK() {
			t.Errorf("include: %s (-want +got):\n%s\n%s", include, diff, rendered(t, r))
		}
	}
}
