package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// provided is the smallest file with something more in its provider.
func provided(more string) string {
	return strings.Replace(smallest, "client_id: abc", "client_id: abc, "+more, 1)
}

func TestSmallFaults(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"endpoints at the root", "endpoints: /" + smallest, "expected a path below /"},
		{"endpoints with a slash at the end", "endpoints: /auth/" + smallest, "without a slash at its end, got \"/auth/\" (did you mean /auth?)"},
		{"endpoints with a star", "endpoints: /*/auth" + smallest, "expected a path without `*`"},
		{"endpoints with dots", "endpoints: /a/../auth" + smallest, "did you mean /auth?"},
		{"endpoints with an encoded slash", "endpoints: /a%2Fb" + smallest, "as in /.auth"},
		{"callback at the metadata of resources", provided("callback_path: /.well-known/oauth-protected-resource"), "is claimproxy's own"},
		{"callback path that is the default", provided("callback_path: /.auth/callback/invent"), ""},
		{"certificates that are not there", provided("ca: nowhere"), "the certificates cannot be read"},
		{"certificates", provided("ca: invent-ca.pem"), ""},
		{"logo on this host", provided("logo: /logo.svg"), ""},
		{"logo elsewhere", provided(`logo: "https://invent.example.org/logo.svg?size=1"`), ""},
		{"logo with a script", provided(`logo: "javascript:alert(1)"`), "expected an https URL or a path on this host"},
		{"logo with data", provided(`logo: "data:image/svg+xml,x"`), "expected an https URL or a path on this host"},
		{"token kinds twice", provided("bearer: {accept: [id_token, id_token]}"), "id_token stands here twice"},
		{"a key that is not there", "tls: {cert: tls/cert.pem, key: nowhere}" + smallest, "the key cannot be read"},
		{"a certificate in place of the key", "tls: {cert: tls/cert.pem, key: tls/cert.pem}" + smallest, "the certificate and the key cannot be used"},
		{"a certificate and its key", "tls: {cert: tls/cert.pem, key: tls/key.pem}" + smallest, ""},
		{"an empty file name", "state_dir: ''" + smallest, "expected the name of a file"},
		{"a control character in a string", provided(`name: "a\nb"`), "the control character U+000A cannot stand here"},
		{"a cookie that is no name", "session: {cookie: {name: 'a b'}}" + smallest, "expected a name of letters"},
		{"an empty cookie", "session: {cookie: {name: ''}}" + smallest, "expected a name of letters"},
		{"a parameter that is no name", provided("authorize_params: {'a b': c}"), "expected the name of a parameter"},
		{"parameters in a list", provided("authorize_params: [a]"), "expected a mapping, got a list"},
		{"a long value is cut", "endpoints: " + strings.Repeat("x", 100) + smallest, strings.Repeat("x", 60) + `..."`},
		{"an empty key", "'': x" + smallest, `unknown key ""`},
		{"a URL that is none", strings.Replace(smallest, "http://127", "http://a b/127", 1), "nothing behind the host"},
		{"a URL in a list", strings.Replace(smallest, `"http://127.0.0.1:8000"`, "{url: {a: b}}", 1), "expected a string, got a mapping"},
		{"no routes", "public_url: https://a.example.org\nroutes: []", "expected at least one route"},
		{"an escape for terminals", strings.Replace(smallest, `"http://127.0.0.1:8000"`, `"x.\e[31m"`, 1), "there is no upstream"},
		{"a policy called else", "policies: {else: groups contains a}" + smallest, "cannot be called else"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := errorLines(t, test.text)
			if test.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || test.want == "" || !strings.Contains(got[0], test.want) {
				t.Errorf("got %q, expected one fault with %q", got, test.want)
			}
		})
	}
}

func TestKeyForEverybodyIsWarnedAbout(t *testing.T) {
	cert, key := pair()
	env := world()
	read := env.ReadFile
	env.ReadFile = func(name string) ([]byte, error) {
		if strings.HasSuffix(name, "secret-open") {
			return append(key[:len(key):len(key)], cert...), nil
		}
		return read(name)
	}
	_, r := Parse("/etc/claimproxy/claimproxy.yaml", []byte("tls: {cert: tls/cert.pem, key: secret-open}"+smallest), env)
	if got := rendered(t, r); !r.OK() || !strings.Contains(got, "warning: tls.key: everybody on this machine can read") {
		t.Errorf("got %s", got)
	}
}

// The names of files and keys come from outside; a terminal obeys escapes.
func TestReportCannotSteerATerminal(t *testing.T) {
	_, r := parse("\"\\e[31mred\": x\nproviders:\n  - {ca: \"/\\e[2J\", id: \"\\u009b31m\", client_secret: {file: \"\\e]0;x\\a\"}}\nroutes:\n  - {upstream: \"\\e[31m.x\"}\n")
	if got := rendered(t, r); strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && (r < ' ' || 0x7f <= r && r < 0xa0) }) {
		t.Errorf("got %q", got)
	}
}

func TestLinesAreCutWhereYAMLCutsThem(t *testing.T) {
	got := splitLines("a\nb\r\nc\rd\u0085e\u2028f\u2029\n\r\n\rg")
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "f", "", "", "", "g"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A fault in the last line is told with the number that the library counts.
	if got := errorLines(t, "public_url: https://a.example.org\r# b\u0085# c\u2028# d\u2029\nx: y\nroutes: []"); len(got) == 0 || !strings.HasPrefix(got[0], "6:1: x: unknown key") {
		t.Errorf("got %q", got)
	}
}

func TestClosestKeyIsWhatWasMeant(t *testing.T) {
	keys := []string{"listen", "client_id", "client_secret", "path", "allow", "host"}
	for word, want := range map[string]string{
		"lisen": "listen", "Listen": "listen", "clientId": "client_id", "client-secret": "client_secret", "clientsecrte": "client_secret", "paht": "path", "alow": "allow",
		"hosts": "host", "x": "", "": "", "policy": "", "tls": "", strings.Repeat("listen", 50): "",
	} {
		if got := closest(word, keys); got != want {
			t.Errorf("%s: got %q, expected %q", word, got, want)
		}
	}
}
