package proxy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// tableOfPaths makes a table with a route for each "host path", named by it.
func tableOfPaths(t testing.TB, places ...string) *Table {
	t.Helper()
	rule := newRules(t).of("public")
	var routes []Route
	for _, place := range places {
		host, path, _ := strings.Cut(place, " ")
		routes = append(routes, Route{Name: place, Hosts: strings.Split(host, ","), Path: path, Allow: rule})
	}
	table, err := NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func found(t testing.TB, table *Table, host, path string) string {
	t.Helper()
	target, err := ParseTarget("https", host, path)
	if err != nil {
		t.Fatalf("%s %s: %v", host, path, err)
	}
	e, err := table.Find(target)
	if err != nil {
		t.Fatalf("%s %s: %v", host, path, err)
	}
	if e == nil {
		return ""
	}
	return e.Name
}

func TestFirstRouteThatMatchesWins(t *testing.T) {
	table := tableOfPaths(t,
		"a.example /exact",
		"a.example /dir/",
		"a.example /dir/sub/", // never: the one before it is wider
		"a.example /users/*/avatar",
		"a.example /users/me/",
		"a.example /users/*/",
		"a.example,b.example /both/",
		"*.example /wild/",
		"b.example /b",
		"*.example /b",
		"a.example /",
	)
	for place, want := range map[string]string{
		"a.example /exact":             "a.example /exact",
		"a.example /exact/":            "a.example /",
		"a.example /exact/x":           "a.example /",
		"a.example /exac":              "a.example /",
		"a.example /dir":               "a.example /dir/",
		"a.example /dir/":              "a.example /dir/",
		"a.example /dir/x/y/z":         "a.example /dir/",
		"a.example /dir/sub/x":         "a.example /dir/",
		"a.example /dirx":              "a.example /",
		"a.example /users/jane/avatar": "a.example /users/*/avatar",
		"a.example /users/me/avatar":   "a.example /users/*/avatar",
		"a.example /users/me":          "a.example /users/me/",
		"a.example /users/me/x":        "a.example /users/me/",
		"a.example /users/joe":         "a.example /users/*/",
		"a.example /users/joe/x/y":     "a.example /users/*/",
		"a.example /users/":            "a.example /",
		"a.example /users":             "a.example /",
		"a.example /both/x":            "a.example,b.example /both/",
		"b.example /both":              "a.example,b.example /both/",
		"a.example /wild/x":            "*.example /wild/",
		"c.example /wild":              "*.example /wild/",
		"b.example /b":                 "b.example /b",
		"c.example /b":                 "*.example /b",
		"x.c.example /b":               "",
		"example /b":                   "",
		"c.example /":                  "",
		"a.example /":                  "a.example /",
		"a.example /%65xact":           "a.example /exact",
	} {
		host, path, _ := strings.Cut(place, " ")
		if got := found(t, table, host, path); got != want {
			t.Errorf("%s: got route %q, want %q", place, got, want)
		}
	}
}

func TestPatternsArePercentDecoded(t *testing.T) {
	table := tableOfPaths(t, "a.example /a%20b/", "a.example /caf\xc3\xa9", "a.example /%2A/", "a.example /100%25")
	for path, want := range map[string]string{
		"/a%20b/x":     "a.example /a%20b/",
		"/caf%C3%A9":   "a.example /caf\xc3\xa9",
		"/caf\xc3\xa9": "a.example /caf\xc3\xa9",
		"/*/":          "a.example /%2A/",
		"/x/":          "",
		"/100%25":      "a.example /100%25",
	} {
		if got := found(t, table, "a.example", path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestPatternsThatCouldNeverMatch(t *testing.T) {
	for path, fine := range map[string]bool{
		"/": true, "/a": true, "/a/": true, "/*": true, "/*/": true, "/a/*/b": true, "/.well-known/x": true,
		"": false, "a": false, "/a*": false, "/a/b*/c": false, "//": false, "/a//b": false, "/a/../b": false, "/./": false,
		"/a?b": false, "/a#b": false, "/a%2fb": false, "/a;b": false, "/a\\b": false, "/a%zz": false, "/%252e": false, "/a%00": false,
	} {
		if err := CheckPath(path); (err == nil) != fine {
			t.Errorf("CheckPath(%q) = %v, want fine: %v", path, err, fine)
		}
	}
	for host, fine := range map[string]bool{
		"a.example": true, "*.a.example": true, "A.Example.": true, "127.0.0.1": true, "[::1]": true, "localhost": true,
		"": false, "*": false, "*.": false, "a.*.example": false, "*a.example": false, "*.*.example": false, "a.example:80": false, "a b": false, "*.[::1]": false,
	} {
		if err := CheckHost(host); (err == nil) != fine {
			t.Errorf("CheckHost(%q) = %v, want fine: %v", host, err, fine)
		}
	}
}

// TestTreeAgreesWithAPlainScan compares the tree with trying one route after the
// other.
func TestTreeAgreesWithAPlainScan(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	piece := func(pieces ...string) string { return pieces[random.IntN(len(pieces))] }
	for range 300 {
		var places []string
		for range 1 + random.IntN(12) {
			p := ""
			for range random.IntN(4) {
				p += "/" + piece("a", "b", "c", "*")
			}
			places = append(places, piece("a.example", "a.example", "b.example", "*.example", "a.example,*.example")+" "+p+piece("/", "/a", "/b", "/*"))
		}
		table := tableOfPaths(t, places...)
		for range 200 {
			p := ""
			for range random.IntN(5) {
				p += "/" + piece("a", "b", "c", "d")
			}
			p += piece("", "/")
			if p == "" {
				p = "/"
			}
			want, at := "", piece("a.example", "b.example", "c.example")
			for _, place := range places {
				hosts, pattern, _ := strings.Cut(place, " ")
				if (strings.Contains(hosts, at) || strings.Contains(hosts, "*")) && matchModel(pattern, p) {
					want = place
					break
				}
			}
			if got := found(t, table, at, p); got != want {
				t.Fatalf("%s%s among %q: got %q, want %q", at, p, places, got, want)
			}
		}
	}
}

// TestMatchingIsBoundedByThePatterns: no path makes it slow, neither a deep one nor
// one where a star and a name fit everywhere.
func TestMatchingIsBoundedByThePatterns(t *testing.T) {
	var places []string
	for depth := range 30 {
		places = append(places, "a.example "+strings.Repeat("/*", depth)+"/a/x"+fmt.Sprint(depth))
		places = append(places, "a.example "+strings.Repeat("/a", depth)+"/*/y"+fmt.Sprint(depth))
	}
	table := tableOfPaths(t, places...)
	if got := found(t, table, "a.example", strings.Repeat("/a", 3000)); got != "" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkParseTarget(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":   "/analytics/products/org.kde.kate/data?from=2026-01-01&to=2026-02-01",
		"encoded": "/analytics/products/caf%C3%A9%20au%20lait/data?from=2026-01-01",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseTarget("https", publicHost, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
