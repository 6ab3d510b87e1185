package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// mask stands wherever a secret would.
const mask = "***"

// source is the text of one file, cut into the lines that the YAML library
// counts, and made fit to be shown.
type source struct {
	name  string
	lines []string // as they stand in the file
	shown []string // with secrets masked
}

func newSource(name string, data []byte) *source {
	lines := splitLines(strings.ToValidUTF8(strings.TrimPrefix(string(data), "\ufeff"), "\ufffd"))
	return &source{name: name, lines: lines, shown: maskSecrets(lines)}
}

// line returns line n, counted from one, as it may be shown. It is empty for a
// line that does not exist.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.shown) {
		return ""
	}
	return visible(s.shown[n-1])
}

// from returns the raw rest of a line from a column on, both counted from one.
func (s *source) from(line, column int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	rest := s.lines[line-1]
	for ; column > 1 && rest != ""; column-- {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	return rest
}

// hide masks what stands in a line from a column on, both counted from one. It
// keeps no more than what was shown before.
func (s *source) hide(line, column int) {
	rest := s.from(line, column)
	if rest == "" {
		return
	}
	before, shown := strings.TrimSuffix(s.lines[line-1], rest), s.shown[line-1]
	same := 0
	for same < min(len(before), len(shown)) && before[same] == shown[same] {
		same++
	}
	s.shown[line-1] = shown[:same] + mask
}

// hideSecret masks what stands in the place of a secret, where the tree shows more
// than the text did: behind an alias, say. A reference to a secret is shown.
func (s *source) hideSecret(n *yaml.Node) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && slices.Contains(secretSources, n.Content[0].Value) {
		return
	}
	s.hide(n.Line, n.Column)
	for _, c := range n.Content {
		if c.Kind != yaml.AliasNode { // which has a place of its own
			s.hideSecret(c)
		}
	}
}

// splitLines cuts at every line break of YAML 1.1, which is what the library
// counts: CR, LF, CR LF, NEL, LS and PS.
func splitLines(text string) []string {
	var lines []string
	start := 0
	for i, r := range text {
		switch r {
		case '\n':
			lines = append(lines, strings.TrimSuffix(text[start:i], "\r"))
			start = i + 1
		case '\r':
			if strings.HasPrefix(text[i:], "\r\n") {
				continue // one break, which the LF ends
			}
			lines = append(lines, text[start:i])
			start = i + 1
		case '\u0085', '\u2028', '\u2029':
			lines = append(lines, text[start:i])
			start = i + utf8.RuneLen(r)
		}
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}

var (
	// keyPattern finds what may be a key: in a block, in {} and behind a dash, also where
	// the blank behind the colon was forgotten.
	keyPattern = regexp.MustCompile(`"[^"]*"\s*:|'[^']*'\s*:|[\pL\pN_.-]+\s*:`)
	// referencePattern is a secret that is not in the file and may be shown.
	referencePattern = regexp.MustCompile(`^\s*\{\s*(?:file|env|credential)\s*:\s*[^,{}\[\]]*\}`)
	// referenceList is a list of such.
	referenceList = regexp.MustCompile(`^\s*\[(?:\s*\{\s*(?:file|env|credential)\s*:\s*[^,{}\[\]]*\}\s*,?)*\]`)
	// referenceLine is the same thing over several lines.
	referenceLine = regexp.MustCompile(`^\s*(?:-\s+)?(?:(?:file|env|credential)\s*:\s|\{\s*(?:file|env|credential)\s*:\s*[^,{}\[\]]*\}\s*$)`)
	// userInfo is the password in a URL, and bareUserInfo in one that lacks its scheme.
	userInfo     = regexp.MustCompile(`://[^/\s"'@]*@`)
	bareUserInfo = regexp.MustCompile(`([\w.+-]+:)[^/\s"'@]+@(\w)`)
	// secretParameter is a parameter of a URL's query that sounds like a secret.
	secretParameter = regexp.MustCompile(`(?i)([?&][\w.-]*(?:key|token|secret|passw|auth|sig)[\w.-]*=)[^\s"'&]+`)
)

// maskSecrets makes a copy of the lines in which nothing can be read that might
// be a secret. It works on text and not on the decoded tree, since a file that
// is not YAML, or whose keys are misspelt, has secrets as well. It rather masks
// too much.
func maskSecrets(lines []string) []string {
	shown := make([]string, len(lines))
	inside := -1 // the column of the key whose value goes on below, or -1
	for i, line := range lines {
		line = hideInURLs(line)
		text := strings.TrimLeft(line, " \t")
		indent := len(line) - len(text)
		if inside >= 0 && (text == "" || indent > inside || indent == inside && strings.HasPrefix(text, "- ")) {
			shown[i] = line
			if text != "" && !referenceLine.MatchString(line) {
				shown[i] = line[:indent] + mask
			}
			continue
		}
		inside = -1
		for _, at := range keyPattern.FindAllStringIndex(line, -1) {
			key, rest := line[at[0]:at[1]], line[at[1]:]
			if !isSecretName(key) {
				continue
			}
			if referencePattern.MatchString(rest) || referenceList.MatchString(rest) {
				continue
			}
			inside = at[0]
			if trimmed := strings.TrimLeft(rest, " \t"); trimmed != "" {
				line = line[:at[1]] + rest[:len(rest)-len(trimmed)] + mask
			}
			break
		}
		shown[i] = line
	}
	return shown
}

// hideInURLs masks what may be a secret in the URLs of a text.
func hideInURLs(text string) string {
	text = userInfo.ReplaceAllString(text, "://"+mask+"@")
	text = bareUserInfo.ReplaceAllString(text, "${1}"+mask+"@${2}")
	return secretParameter.ReplaceAllString(text, "${1}"+mask)
}

// isSecretName says whether a key, quotes and colon included, is or was meant to
// be one that has a secret.
func isSecretName(key string) bool {
	name := foldKey(strings.Trim(strings.TrimRight(strings.TrimSpace(key), ": \t"), `"'`))
	for _, word := range []string{"secret", "passw", "passphrase", "privatekey"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return distance(name, "clientsecret") <= 3 || distance(name, "secret") <= 1 || distance(name, "password") <= 2
}
