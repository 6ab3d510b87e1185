package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A secret ends up in a log when somebody prints the configuration, or something
// that holds it, by one of a dozen ways. Each of them gives the mask.
func TestSecretCannotBePrinted(t *testing.T) {
	secret := NewSecret(sentinel)
	type holder struct {
		Secret  Secret
		Pointer *Secret
		List    []Secret
		Map     map[string]Secret
		Any     any
		private Secret
		deeper  struct{ private *Secret }
	}
	h := holder{secret, &secret, []Secret{secret}, map[string]Secret{"k": secret}, secret, secret, struct{ private *Secret }{&secret}}
	values := map[string]any{"secret": secret, "pointer": &secret, "holder": h, "pointer to holder": &h, "list": []Secret{secret}, "error": errors.Join(fmt.Errorf("%v", secret))}
	out := make(map[string]string)
	for name, v := range values {
		for _, verb := range "vsqxXdboOcUeEfFgGtpTw" {
			for _, flags := range []string{"", "+", "#", " ", "-20", "020", "+#"} {
				format := "%" + flags + string(verb)
				out[name+" by "+format] = fmt.Sprintf(format, v)
			}
		}
		out[name+" by Sprint"] = fmt.Sprint(v) + fmt.Sprintln(v)
		for kind, log := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(log(&b)).With("with", v).Info("here", "it", v, slog.Group("group", "it", v))
			out[name+" by slog as "+kind] = b.String()
		}
		for kind, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "xml": xml.Marshal, "yaml": yaml.Marshal} {
			text, err := marshal(v)
			out[name+" as "+kind] = fmt.Sprint(string(text), err)
		}
		var b bytes.Buffer
		err := template.Must(template.New("").Parse(`<p title="{{.}}">{{.}}<script>x = {{.}}</script>`)).Execute(&b, v)
		out[name+" in a template"] = fmt.Sprint(b.String(), err)
	}
	for how, got := range out {
		if strings.Contains(strings.ToLower(got), sentinel) || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", sentinel)) {
			t.Errorf("%s: %s", how, got)
		}
	}
	for _, direct := range []string{secret.String(), secret.GoString(), fmt.Sprintf("%v %+v %#v %s %d %x", secret, secret, secret, secret, secret, secret), secret.LogValue().String()} {
		if strings.Trim(direct, "* ") != "" {
			t.Errorf("got %q, expected nothing but the mask", direct)
		}
	}
}

func TestSecretIsRevealedWhenAsked(t *testing.T) {
	if got := NewSecret("abc"); got.Reveal() != "abc" || !got.IsSet() || !got.Equal(NewSecret("abc")) || got.Equal(NewSecret("abd")) || got.Equal(Secret{}) {
		t.Errorf("got %q", got.Reveal())
	}
	if got := (Secret{}); got.Reveal() != "" || got.IsSet() || !got.Equal(Secret{}) || got.Equal(NewSecret("")) {
		t.Errorf("the zero Secret: got %q", got.Reveal())
	}
}

// withSecret is a good file with a client secret.
func withSecret(secret string) string {
	return strings.Replace(smallest, "client_id: abc", "client_id: abc, client_secret: "+secret, 1)
}

func TestSecretSources(t *testing.T) {
	for _, test := range []struct{ name, secret, want, warning string }{
		{"a file, without its newline", `{file: secret}`, sentinel + "-file", ""},
		{"a file by its full name", `{file: /etc/claimproxy/secret}`, sentinel + "-file", ""},
		{"a file from Windows", `{file: secret-crlf}`, sentinel + "-crlf", ""},
		{"only one newline is taken off", `{file: secret-lines}`, sentinel + "\n", ""},
		{"a file for everybody is warned about", `{file: secret-open}`, sentinel + "-open", "everybody on this machine can read"},
		{"an environment variable", `{env: CLIENT_SECRET}`, sentinel + "-env", ""},
		{"a systemd credential", `{credential: client}`, sentinel + "-credential", ""},
		{"a plain string is warned about", sentinel + "-plain", sentinel + "-plain", "the secret stands in the configuration file"},
		{"a quoted string that looks like a number", `"0123"`, "0123", "the secret stands in the configuration file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := parse(withSecret(test.secret))
			report := rendered(t, r)
			if c == nil {
				t.Fatal(report)
			}
			if got := c.Providers[0].ClientSecret.Reveal(); got != test.want {
				t.Errorf("got %q, expected %q", got, test.want)
			}
			if test.warning == "" && len(r.Warnings) > 0 || test.warning != "" && (len(r.Warnings) != 1 || !strings.Contains(report, test.warning)) {
				t.Errorf("got %q, expected a warning with %q", report, test.warning)
			}
			for _, f := range append(r.Errors, r.Warnings...) {
				if strings.Contains(fmt.Sprintf("%+v", f), sentinel) {
					t.Errorf("a fault holds the secret: %+v", f)
				}
			}
		})
	}
}

// A secret that cannot be had must not become an empty one: with an empty client
// secret some providers let everybody in.
func TestMissingSecretIsNeverAnEmptyOne(t *testing.T) {
	for _, secret := range []string{
		`{env: NOWHERE}`, `{env: EMPTY}`, `{file: nowhere}`, `{file: secret-empty}`, `{file: tls}`, `{credential: nowhere}`, `{credential: emptiness}`,
		`{credential: ../secret}`, `""`, `{}`, `{file: ""}`, `{env: }`, `[]`, `~`, `"\n"`, `{env: [CLIENT_SECRET]}`,
	} {
		c, r := parse(withSecret(secret))
		if c != nil || r.OK() {
			t.Errorf("client_secret: %s was accepted", secret)
		}
		rendered(t, r)
	}
	env := world()
	env.LookupEnv = func(string) (string, bool) { return "", false }
	if c, r := Parse("x.yaml", []byte(withSecret(`{credential: client}`)), env); c != nil || !strings.Contains(rendered(t, r), "LoadCredential=") {
		t.Error("a credential without $CREDENTIALS_DIRECTORY was accepted")
	}
}

// Faults show the line that they speak of. Whatever people do to a secret's line,
// the secret is not in what is shown.
func TestFaultsDoNotShowSecrets(t *testing.T) {
	const s = sentinel
	for name, text := range map[string]string{
		"misspelt key":             "client_secrt: " + s,
		"another misspelt key":     "cleint-secrets: " + s,
		"camel case":               "clientSecret: " + s,
		"quoted key":               `"client_secret": ` + s,
		"json":                     `{"client_secret":"` + s + `","x":1}`,
		"flow":                     "x: {client_id: 5, client_secret: " + s + "}",
		"password":                 "password: " + s,
		"open quote":               `client_secret: "` + s,
		"open bracket":             `client_secret: [` + s,
		"second colon":             "client_secret: " + s + ": x",
		"at sign":                  "client_secret: @" + s,
		"alias":                    "client_secret: *" + s,
		"tag":                      "client_secret: !" + s + " x",
		"tag of a number":          "client_secret: !!int " + s,
		"tab":                      "\tclient_secret: " + s,
		"next line":                "client_secret:\n    " + s + ": 5\n",
		"no blank":                 "client_secret:" + s,
		"no blank, not alone":      "x: y\nclient_secret:" + s + "\nz: y",
		"no blank, in the middle":  "id: x\n  client_secret:" + s + "\n  name: x",
		"no blank, inside braces":  "x: {client_id: 5, client_secret:" + s + "}",
		"comma inside braces":      "tls: {cert: x, key: y, client_secret: x, " + s + "}",
		"block":                    "client_secret: |\n   a\n   " + s + "\n  x: y: z\n",
		"list":                     "client_secret:\n- " + s + "\n",
		"unknown source":           "client_secret: {fiel: " + s + "}",
		"unknown source, in lines": "client_secret:\n    value: " + s + "\n",
		"duplicate":                "client_secret: " + s + "\nclient_secret: " + s,
		"key of the secret":        "client_secret: {" + s + "}",
		"explicit key":             "? client_secret\n: " + s,
		"url":                      "issuer: https://u:" + s + "@example.org/x y",
		"url with a space":         "upstream: http://u:" + s + "@ example.org",
		"url without a scheme":     `issuer: "u:` + s + `@example.org"`,
		"query of a url":           `issuer: "ftp://example.org/?api_key=` + s + `&x=1"`,
		"query of a url, in caps":  `listen: "http://example.org/?ACCESS_TOKEN=` + s + `"`,
		"control character":        "client_secret: " + s + "\x07",
		"latin 1":                  "client_secret: \xe4" + s,
		"document":                 "a: b\n---\nclient_secret: " + s,
	} {
		for _, where := range []string{"", "public_url: http://example.org\nproviders:\n- id: x\n"} {
			text := text
			if where != "" {
				text = where + "  " + strings.ReplaceAll(text, "\n", "\n  ")
			}
			t.Run(name, func(t *testing.T) {
				_, r := parse(text)
				if r.OK() {
					t.Errorf("no fault in %q", text)
				}
				rendered(t, r)
			})
		}
	}
}
