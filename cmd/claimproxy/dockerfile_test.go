package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// There is not always a Docker engine where tests run. What makes an image safe and
// buildable can be read from the file.
func TestTheImageIsTheBinaryAloneAsAnOrdinaryUser(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\\\n", " "), "\n")
	final := lines
	for i, l := range lines {
		if strings.HasPrefix(l, "FROM ") {
			final = lines[i:]
		}
	}
	has := func(pattern string) bool {
		re := regexp.MustCompile(pattern)
		for _, l := range final {
			if re.MatchString(l) {
				return true
			}
		}
		return false
	}
	for what, pattern := range map[string]string{
		"an empty base":                `^FROM scratch$`,
		"a numeric user that is not 0": `^USER [1-9][0-9]*:[1-9][0-9]*$`,
		"the binary as entry point":    `^ENTRYPOINT \["/claimproxy"\]$`,
		"the CA bundle":                `^COPY --from=build /etc/ssl/certs/ca-certificates\.crt `,
		"a health check":               `^HEALTHCHECK .* CMD \["/claimproxy", "healthcheck", `,
		"a state directory":            `^COPY --from=build --chown=65532:65532 \S+ /var/lib/claimproxy$`,
	} {
		if !has(pattern) {
			t.Errorf("the final stage lacks %s: no line matches %s", what, pattern)
		}
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0") {
		t.Error("the binary is not static: CGO_ENABLED=0 is missing")
	}
	for _, l := range lines {
		fields := strings.Fields(l)
		if len(fields) < 3 || fields[0] != "COPY" || strings.HasPrefix(fields[1], "--from") {
			continue
		}
		for _, source := range fields[1 : len(fields)-1] {
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Errorf("%q copies what is not there: %v", l, err)
			}
		}
	}
}
