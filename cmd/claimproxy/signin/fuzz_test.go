package signin

import (
	"strings"
	"testing"
)

// FuzzAddress: whatever is taken as an address is https or this machine, and what curl is given
// begins with the origin that the token is for, to the letter.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"https://app.example.org/a?b#c", "http://127.0.0.1:8080", "app.example.org", "https://a@b", "https://a\\@b/", "http://[::1]:80/", "https://a:443", "HTTPS://A.example/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseAddress(raw)
		if err != nil {
			return
		}
		origin := originOf(u)
		if !strings.HasPrefix(origin, "https://") && !strings.HasPrefix(origin, "http://localhost") && !strings.HasPrefix(origin, "http://127.") && !strings.HasPrefix(origin, "http://[") {
			t.Errorf("%q: got the origin %s", raw, origin)
		}
		if strings.ContainsAny(origin, "@\\") || !sameOrigin(origin, origin+"/x") || sameOrigin(origin, origin+"0.evil.example/") {
			t.Errorf("%q: got the origin %s", raw, origin)
		}
		if here, err := sameAddress("", raw); err == nil && raw != here && !strings.HasPrefix(raw, here+"/") {
			t.Errorf("curl is given %q with the token for %s", raw, here)
		}
	})
}

// FuzzChallenge: reading one ends, and finds nothing that is not there.
func FuzzChallenge(f *testing.F) {
	for _, seed := range []string{`Bearer resource_metadata="https://a/b"`, `bearer realm="x", Resource_Metadata = "y"`, `Basic realm="resource_metadata="`, `Bearer xresource_metadata="z"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, challenge string) {
		if found := challengedMetadata([]string{challenge}); found != "" && !strings.Contains(challenge, `"`+found+`"`) {
			t.Errorf("%q: found %q", challenge, found)
		}
	})
}

// FuzzClean: a terminal is never told what to do.
func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\x9b\u202eabc\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range clean(text) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
				t.Errorf("%q: got %q", text, clean(text))
			}
		}
	})
}
