package config

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"

	"gopkg.in/yaml.v3"
)

// Secret is a value that cannot be printed: every way of writing it out gives
// the same mask, whether it is set or not. Reveal is the one way to read it.
//
// In the file it is one of
//
//	{file: PATH}        the content of a file, without one newline at its end;
//	                    the path is relative to the file that names it
//	{env: NAME}         an environment variable
//	{credential: NAME}  a systemd credential, from $CREDENTIALS_DIRECTORY
//	a plain string      allowed, with a warning
//
// A file, variable or credential that is missing or empty is a fault. The zero
// Secret is one that the file does not mention.
type Secret struct {
	// value is behind a pointer, because package fmt does not ask the methods of
	// an unexported field: of a Secret inside somebody's private struct it then
	// prints an address and not the text.
	value *string
}

// NewSecret makes a secret of a text, for tests and for secrets that are made and
// not configured.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the secret itself, "" when it is not set. Hand the result to
// what needs it and to nothing else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsSet says whether there is a secret.
func (s Secret) IsSet() bool { return s.value != nil }

// Equal compares two secrets without telling by its time where they differ.
func (s Secret) Equal(t Secret) bool {
	return s.IsSet() == t.IsSet() && subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns the mask.
func (s Secret) String() string { return mask }

// GoString returns the mask.
func (s Secret) GoString() string { return mask }

// Format writes the mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, mask) }

// MarshalText returns the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalJSON returns the mask.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// MarshalYAML returns the mask.
func (s Secret) MarshalYAML() (any, error) { return mask, nil }

// LogValue returns the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(mask) }

const secretExpected = "{file: PATH}, {env: NAME}, {credential: NAME} or a string"

// secretSources are the keys of a secret that is not in the file.
var secretSources = []string{"file", "env", "credential"}

// otherSources are words for secretSources, as foldKey has them. What else stands as
// the key of a secret may be the secret.
var otherSources = map[string]string{
	"path": "file", "filename": "file", "filepath": "file", "fromfile": "file", "secretfile": "file", "valuefile": "file",
	"environment": "env", "variable": "env", "var": "env", "envvar": "env", "fromenv": "env", "valuefrom": "env",
	"systemd": "credential", "cred": "credential", "creds": "credential", "loadcredential": "credential",
}

// decode reads a secret from where the file says. None of its messages holds
// anything that stands in the file in the place of a secret, not even a key.
func (s *Secret) decode(l *loader, n *yaml.Node, path string) bool {
	l.source(n).hideSecret(n)
	switch {
	case l.templateSecret(n, path):
		return false
	case isText(n):
		text := strings.TrimSuffix(n.Value, "\n")
		if text == "" {
			l.fault(n, path, "expected %s, got an empty string", secretExpected)
			return false
		}
		*s = l.newSecret(text)
		l.warn(n, path, "the secret stands in the configuration file").hint("better {file: PATH}, {env: NAME} or {credential: NAME}")
		return true
	case n.Kind == yaml.ScalarNode:
		l.fault(n, path, "expected %s, got something that YAML takes for a number, a date or a boolean", secretExpected).hint("quote it")
		return false
	case n.Kind != yaml.MappingNode:
		l.fault(n, path, "expected %s, got a list", secretExpected)
		return false
	case len(n.Content) != 2:
		l.fault(n, path, "expected %s, got a mapping with %d keys", secretExpected, len(n.Content)/2)
		return false
	}
	key, val := follow(n.Content[0]), follow(n.Content[1])
	source := ""
	for _, known := range secretSources {
		if key.Value == known {
			source = known
		}
	}
	if source == "" {
		f := l.fault(key, path, "expected %s, got a mapping with another key", secretExpected)
		if c := closest(key.Value, secretSources); c != "" {
			f.hint("did you mean %s?", c)
		} else if c := otherSources[foldKey(key.Value)]; c != "" {
			f.hint("did you mean %s?", c)
		}
		return false
	}
	below := joinPath(path, source)
	if !isText(val) || val.Value == "" {
		l.fault(val, below, "expected a name")
		return false
	}
	text, problem := l.readSecret(source, val, below)
	if problem != "" {
		l.fault(val, below, "%s", problem)
		return false
	}
	*s = l.newSecret(text)
	return true
}

// newSecret makes the secret that was read; an empty one where none is wanted.
func (l *loader) newSecret(text string) Secret {
	if l.env.WithoutSecrets {
		text = ""
	}
	return NewSecret(text)
}

// readSecret fetches a secret from its source, or says why that gives none.
func (l *loader) readSecret(source string, n *yaml.Node, path string) (text, problem string) {
	switch {
	case source == "credential" && (strings.ContainsAny(n.Value, `/\`) || n.Value == "." || n.Value == ".."):
		return "", fmt.Sprintf("expected the name of a credential, got %s", quote(n.Value))
	case l.env.WithoutSecrets:
		return "", ""
	case source == "env":
		text, ok := l.env.LookupEnv(n.Value)
		if !ok {
			return "", fmt.Sprintf("the environment variable %s is not set", quote(n.Value))
		}
		if text == "" {
			return "", fmt.Sprintf("the environment variable %s is empty", quote(n.Value))
		}
		return text, ""
	case source == "credential":
		dir, ok := l.env.LookupEnv("CREDENTIALS_DIRECTORY")
		if !ok || dir == "" {
			return "", "the environment variable CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with LoadCredential="
		}
		return l.secretFile(filepath.Join(dir, n.Value))
	}
	name := l.file(n, n.Value)
	text, problem = l.secretFile(name)
	if problem == "" && l.worldReadable(name) {
		l.warn(n, path, "everybody on this machine can read %s", quote(name)).hint("chmod o= %s", name)
	}
	return text, problem
}

func (l *loader) secretFile(name string) (text, problem string) {
	data, err := l.env.ReadFile(name)
	if err != nil {
		return "", fmt.Sprintf("the secret cannot be read: %v", err)
	}
	l.secretFiles = append(l.secretFiles, name)
	text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Sprintf("the file %s is empty", quote(name))
	}
	return text, ""
}

// worldReadable says whether users outside the file's owner and group may read
// it. Windows has no such bits.
func (l *loader) worldReadable(name string) bool {
	info, err := l.env.Stat(name)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}
