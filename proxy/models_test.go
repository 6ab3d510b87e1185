package proxy

import (
	"math/rand/v2"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/policy"
)

// models are how applications and the servers in front of them are known to read a
// path. Each is written anew here, with nothing of the canonicaliser in it.
var models = map[string]func(string) string{
	"decodes once":                   decodeModel,
	"net/url":                        func(s string) string { u, _ := url.ParseRequestURI(s); return u.Path },
	"decodes, then cleans":           func(s string) string { return cleanModel(decodeModel(s)) },
	"cleans, then decodes":           func(s string) string { return decodeModel(cleanModel(s)) },
	"decodes twice":                  func(s string) string { return decodeModel(decodeModel(s)) },
	"decodes twice, then cleans":     func(s string) string { return cleanModel(decodeModel(decodeModel(s))) },
	"decodes until nothing changes":  stableModel,
	"backslash is a slash":           func(s string) string { return cleanModel(strings.ReplaceAll(decodeModel(s), `\`, "/")) },
	"drops parameters, then decodes": func(s string) string { return cleanModel(decodeModel(paramsModel(s))) },
	"decodes, then drops parameters": func(s string) string { return cleanModel(paramsModel(decodeModel(s))) },
	"merges slashes":                 func(s string) string { return mergeModel(decodeModel(s)) },
	"takes overlong UTF-8":           func(s string) string { return cleanModel(overlongModel(decodeModel(s))) },
	"ends at NUL":                    func(s string) string { s, _, _ = strings.Cut(decodeModel(s), "\x00"); return s },
	"drops control characters":       func(s string) string { return cleanModel(dropControls(decodeModel(s))) },
	"ends at a raw number sign":      func(s string) string { s, _, _ = strings.Cut(s, "#"); return decodeModel(s) },
}

// decodeModel leaves what is no escape as it is.
func decodeModel(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v := strings.IndexByte(hexModel, s[i+1]); v >= 0 {
				if w := strings.IndexByte(hexModel, s[i+2]); w >= 0 {
					b.WriteByte(byte(nibble(v)<<4 | nibble(w)))
					i += 2
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

const hexModel = "0123456789abcdefABCDEF"

func nibble(i int) int {
	if i >= 16 {
		return i - 6
	}
	return i
}

func stableModel(s string) string {
	for {
		next := decodeModel(s)
		if next == s {
			return s
		}
		s = next
	}
}

func cleanModel(s string) string {
	cleaned := path.Clean("/" + s)
	if strings.HasSuffix(s, "/") && cleaned != "/" {
		cleaned += "/"
	}
	return cleaned
}

func mergeModel(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

func paramsModel(s string) string {
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func overlongModel(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+1 < len(s) && (s[i] == 0xC0 || s[i] == 0xC1) && s[i+1]&0xC0 == 0x80 {
			b.WriteByte((s[i]&3)<<6 | s[i+1]&0x3F)
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func dropControls(s string) string {
	kept := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		if c >= 0x20 && c != 0x7f {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

// modelRoutes are routes that the pieces below can hit and just miss.
var modelRoutes = []string{"/public/", "/admin/", "/a/*/c", "/a/b/", "/x%20y/", "/100%25/", "/caf\xc3\xa9", "/admin.php", "/*/admin/", "/"}

// matchModel is the plainest reading of a route's path.
func matchModel(pattern, p string) bool {
	pattern = decodeModel(pattern)
	want, got := strings.Split(pattern, "/"), strings.Split(p, "/")
	if strings.HasSuffix(pattern, "/") {
		want = want[:len(want)-1]
		if len(got) < len(want) {
			return false
		}
		got = got[:len(want)]
	}
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if want[i] == "*" && got[i] != "" {
			continue
		}
		if want[i] != got[i] {
			return false
		}
	}
	return true
}

func routeModel(p string) string {
	for _, pattern := range modelRoutes {
		if matchModel(pattern, p) {
			return pattern
		}
	}
	return ""
}

func modelTable(t testing.TB) *Table {
	t.Helper()
	set, errs := policy.Compile(nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	rule, errs := set.Rule(policy.Clause{Text: "public"})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var routes []Route
	for _, p := range modelRoutes {
		routes = append(routes, Route{Name: p, Hosts: []string{publicHost}, Path: p, Allow: rule})
	}
	table, err := NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// checkModels makes sure that every application, whatever its model, takes what is
// forwarded for something on the route that was decided on. It reports whether the
// target is accepted at all.
func checkModels(t *testing.T, table *Table, raw string) bool {
	t.Helper()
	target, err := ParseTarget("https", publicHost, raw)
	if err != nil {
		return false
	}
	e, err := table.Find(target)
	if err != nil {
		return false
	}
	decided := ""
	if e != nil {
		decided = e.Name
	}
	for name, model := range models {
		if read := model(target.Encoded); routeModel(read) != decided {
			t.Errorf("%q was decided on as %q; an application that %s gets %q and reads %q, which is on %q",
				raw, decided, name, target.Encoded, read, routeModel(read))
		}
	}
	return true
}

// pieces are what paths are made of, and what they are attacked with.
var pieces = strings.Fields(`/ / / / a b c admin public x%20y 100%25 caf%c3%a9 admin.php %61dmin p%75blic
	. .. %2e %2E %2e%2e .%2e %252e %25252e / %2f %2F %252f %25252f // \ %5c %255c ; ;x=1 %3b %253b %00 %2500 %0a %250d %7f %09
	%2561dmin %25%36%31dmin %2525%32%36%31 % %25 %2525 25 2e 2f 5c 61 %c0%af %c0%ae %c1%9c %25c0%25af # %23 %3f %20 %2a * + : @ %e0%80%af`)

// TestNoApplicationReadsAnotherRoute is the property that all of it is for.
func TestNoApplicationReadsAnotherRoute(t *testing.T) {
	table := modelTable(t)
	random := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 60_000 {
		var b strings.Builder
		b.WriteByte('/')
		for range 1 + random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if checkModels(t, table, b.String()) {
			accepted++
		} else {
			refused++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < 5_000 || refused < 5_000 {
		t.Error("the pieces do not make both good and bad paths")
	}
}

func FuzzModels(f *testing.F) {
	for _, seed := range []string{"/public/%2e%2e/admin", "/%2561dmin/", "/a/b/c", "/a/%25/c", "/public/..%c0%afadmin", "/x y/"} {
		f.Add(seed)
	}
	table := modelTable(f)
	f.Fuzz(func(t *testing.T, raw string) { checkModels(t, table, raw) })
}
