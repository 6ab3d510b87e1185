package config

import (
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// probes are what every key gets as its value, one after the other.
var probes = []string{
	"null", "true", "false", "5", "1.5", `""`, "x", "X", "/x", "/x/", "8h", "1h30m", "90", "none", "browser", "[]", "{}", "[null]", "[5]", "[x]", "[x, x]", "[[x]]", "{x: y}", "{x: null}", "{x: {y: z}}",
	"public", "signed-in", "developers", "groups contains x", "{all: [groups contains x]}", "{any: [groups contains x, {not: groups contains y}]}", "{not: developers}",
	"{expr: 'claims.x == 1'}", "{expr: 5}", "{all: []}", "{not: [x]}", "{all: [groups contains x], not: developers}",
	"https://x.example.org", "http://127.0.0.1:8000", "http://x.example.org/y?z", "HTTPS://X.example.org/", "http://[::1]:80", "org.kde.x:/y", "telemetry", "{url: 'http://127.0.0.1:1'}",
	"127.0.0.1:80", "':80'", "'[::1]:80'", "[':80', ':81']", "GET", "[GET, POST]", "[GET, GET]", "get", "M-SEARCH", "TRACE", "GET /", "[GET /, GET /grafana/]", "GET https://telemetry.example.org?x",
	"10.0.0.0/8", "['10.0.0.0/8', '2001:db8::1']", "192.0.2.1", "invent", "[invent]", "openid", "[openid, a]", "bearer", "[bearer]", "access_token", "[id_token, access_token]",
	"{file: invent-secret}", "{file: session-secret}", "[{file: session-secret}]", "{env: CLIENT_SECRET}", "{credential: client}", "{file: invent-secret, env: CLIENT_SECRET}", "{file: null}", "{credential: a/b}",
	"grafana", "[grafana, {X-Role: name}]", "[none]", "[none, grafana]", "{X-Role: {admins: a, else: b}}", "{X-Role: {else: b}}", "{Host: name}", "{X-Role: ' a'}",
	"developer", "[developer, admin]", "{groups: [a], x: null, y: {z: 1.5}}", "{auth: browser}", "allow", "pass", "strict", "full", "x-original", "'unix:'", "['unix:', 10.0.0.1]", "'#123456'", "'a b'", "'*.example.org'", "'[::1]'", "a.example.org",
	"preserve", "64MiB", "64M", "0B", "64KiB", "500", "/grafana", "h2c://127.0.0.1:1", "unix:/run/app.sock", "['http://127.0.0.1:1', 'unix:/run/app.sock']",
	"redis://127.0.0.1:6379/1", "[REDISS://a.example.org]", "unix:///run/redis.sock?db=2", "redis://x:y@127.0.0.1",
	"a@example.org", "{email: a@example.org}", "{key_id: a, key: {file: session-secret}}",
	"invent-keys", "['Bearer glsa_', Token]", "tls/cert.pem", "tls/key.pem", "{cert: tls/cert.pem, key: tls/key.pem}", "introspection", "file", "continue", "qfieldcloud", "[qfieldcloud]", "native", "telemetry.example.org", "[telemetry.example.org, TELEMETRY.example.org]",
	"[{id: invent, issuer: 'https://invent.example.org', client_id: abc}]", "[{id: invent, issuer: 'https://invent.example.org', client_id: abc, clients: [{client_id: a}]}]", "[{client_id: a}]", "[{id: invent, issuer: 'https://invent.example.org'}]",
	"{developers: groups contains a, admins: {require: groups contains b, title: x}}", "{telemetry: {url: 'http://127.0.0.1:1'}}", "{telemetry: 'http://127.0.0.1:1'}", "{endpoint: 'http://127.0.0.1:1'}", "{developer: {groups: [a]}, admin: {}}",
	"[{path: /grafana/, upstream: telemetry, allow: developers}]", "[{path: /grafana/, upstream: telemetry}]", "[{methods: [GET, POST], allow: developers}]",
}

// everyMapping is a small file that has each mapping there is.
const everyMapping = `
public_url: https://telemetry.example.org
admin: {}
audit: {file: audit.log}
tracing: {endpoint: "http://127.0.0.1:4318"}
hsts: {include_subdomains: true, max_age: 400d}
tls: {cert: tls/cert.pem, key: tls/key.pem, acme: {email: a@example.org, external_account: {key_id: a, key: {file: session-secret}}}}
limits: {}
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc, metadata: {}, clients: [{client_id: native}], bearer: {}}]
native: {discovery: [{kind: qfieldcloud}]}
session: {cookie: {}, redis: {}}
policies: {developers: {require: groups contains a}, admins: groups contains b}
upstreams: {telemetry: {url: "https://127.0.0.1:8000", cert: tls/cert.pem, key: tls/key.pem}}
routes: [{path: /grafana/, upstream: telemetry, allow: developers}, {upstream: "http://127.0.0.1:8001", rules: [{methods: HEAD, allow: signed-in}]}]
people: {developer: {groups: [a]}, admin: {groups: [b]}}
tests: [{request: GET /grafana/, as: developer, expect: allow}]
`

// instead says which key has to go where another one comes.
var instead = map[string]string{"rules": "allow", "claims": "as", "stdout": "file", "syslog": "file"}

// Each key gets each probe as its value. What the decoder accepts, the schema accepts:
// an editor that underlines what is right is soon switched off. And what has the wrong
// shape for the decoder, the schema refuses.
func TestSchemaAndDecoderAreOfOneMind(t *testing.T) {
	key, each := 0, 1
	if raceDetector() {
		each = 16 // there is one goroutine, and the detector makes it ten times slower
	}
	eachField(reflect.TypeFor[Config](), "", func(home string, f *field) {
		path, right := joinHome(home, f.name), 0
		key++
		for i, probe := range probes {
			if (i+key)%each != 0 {
				continue
			}
			root := everyMappingWith(t, home, f.name, probe)
			data, err := yaml.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			c, report := parse(string(data))
			faults := faultsOf(t, mainSchema, root)
			switch {
			case c != nil && faults != "":
				t.Errorf("%s: %s is right, and the schema refuses it:\n%s", path, probe, faults)
			case c == nil && faults == "" && isShape(report):
				t.Errorf("%s: %s is accepted by the schema, and has a fault that it could know:\n%s", path, probe, report.Errors[0].Message)
			case c != nil:
				right++
			}
		}
		if right == 0 && each == 1 {
			t.Errorf("none of the probes is right for %s: add one", path)
		}
	})
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// everyMappingWith is that file with one more key, or another value of one.
func everyMappingWith(t *testing.T, home, key, value string) *yaml.Node {
	t.Helper()
	var document, probe yaml.Node
	if err := yaml.Unmarshal([]byte(everyMapping), &document); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(value), &probe); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	n := document.Content[0]
	names := strings.Split(home+"."+key, ".")
	for i, name := range names[:len(names)-1] {
		switch name, isList := strings.CutSuffix(name, "[]"); {
		case name == "":
		case name == "NAME":
			n = n.Content[1]
		default:
			if n = valueOf(n, name); isList {
				// Of several the one that has what comes next.
				n = n.Content[max(0, slices.IndexFunc(n.Content, func(n *yaml.Node) bool { return has(n, strings.TrimSuffix(names[i+1], "[]")) }))]
			}
		}
	}
	if i := slices.IndexFunc(n.Content, func(n *yaml.Node) bool { return n.Value == instead[key] }); i >= 0 && instead[key] != "" {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
	*valueOf(n, key) = *probe.Content[0]
	return document.Content[0]
}

func has(n *yaml.Node, key string) bool {
	return slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return n.Value == key })
}

// valueOf is the value of a key, which is put there if need be.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, &yaml.Node{Kind: yaml.MappingNode})
	return n.Content[len(n.Content)-1]
}

// isShape says whether a report complains about types, and not about what is meant by
// values of the right type.
func isShape(r *Report) bool {
	for _, f := range r.Errors {
		if wrongShape.MatchString(f.Message) {
			return true
		}
	}
	return false
}

var wrongShape = regexp.MustCompile(`got (a mapping|a list|nothing|the boolean|the number|an empty list)|^unknown key|^this key is missing`)
