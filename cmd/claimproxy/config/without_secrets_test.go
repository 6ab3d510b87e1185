package config

import (
	"io/fs"
	"strings"
	"testing"
)

// elsewhere is a machine that has none of what a configuration names.
func elsewhere() Env {
	return Env{
		WithoutSecrets: true,
		LookupEnv:      func(string) (string, bool) { return "", false },
		ReadFile: func(name string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
		Stat: func(name string) (fs.FileInfo, error) { return nil, fs.ErrNotExist },
		Glob: func(string) ([]string, error) { return nil, nil },
	}
}

func TestWithoutSecretsNothingIsRead(t *testing.T) {
	for name, secret := range map[string]string{
		"a file": "{file: secret}", "a variable": "{env: CLIENT_SECRET}", "a credential": "{credential: client}", "a plain string": sentinel,
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(withSecret(secret), "client_id: abc", "ca: ca.pem, client_id: abc", 1) + "tls: {cert: cert.pem, key: key.pem}\n"
			c, r := Parse("/etc/claimproxy/claimproxy.yaml", []byte(text), elsewhere())
			if c == nil {
				t.Fatal(rendered(t, r))
			}
			if got := c.Providers[0].ClientSecret; got.Reveal() != "" || !got.IsSet() {
				t.Errorf("got %q, set: %t, expected a secret that is set and empty", got.Reveal(), got.IsSet())
			}
			if len(c.Files) != 1 {
				t.Errorf("got the files %q, expected the configuration alone", c.Files)
			}
		})
	}
}

func TestWithoutSecretsTheirFormIsCheckedAllTheSame(t *testing.T) {
	for _, secret := range []string{`{fiel: secret}`, `{file: ""}`, `{env: }`, `""`, `5`, `[a]`, `{}`, `{credential: ../secret}`, `{file: a, env: B}`} {
		if c, r := Parse("claimproxy.yaml", []byte(withSecret(secret)), elsewhere()); c != nil || r.OK() {
			t.Errorf("client_secret: %s was accepted", secret)
		}
	}
}
