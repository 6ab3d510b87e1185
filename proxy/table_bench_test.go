package proxy

import (
	"fmt"
	"testing"
)

// thousands are tables of 1,000 routes, and a place in each that takes long to find.
// The last route of each is a wide one.
var thousands = map[string]struct {
	route func(i int) (host, path string)
	host  string
	path  string
	want  int // which route it is on
}{
	"literal, one host": {
		func(i int) (string, string) { return "a.example", fmt.Sprintf("/api/v%d/section%d/", i%7, i) },
		"a.example", "/api/v6/section986/dashboards/7", 986,
	},
	"literal, no other segment alike": {
		func(i int) (string, string) { return "a.example", fmt.Sprintf("/app%d", i) }, "a.example", "/app998", 998,
	},
	"wildcard segments": {
		func(i int) (string, string) { return "a.example", fmt.Sprintf("/*/%d/*/edit%d", i%10, i) },
		"a.example", "/x/8/y/edit998", 998,
	},
	"wildcard and literal segments in turn": {
		func(i int) (string, string) {
			if i%2 == 0 {
				return "a.example", fmt.Sprintf("/*/b/*/d%d/", i)
			}
			return "a.example", fmt.Sprintf("/a/*/c/d%d/", i)
		}, "a.example", "/a/b/c/d997/e", 997,
	},
	"a host each": {
		func(i int) (string, string) { return fmt.Sprintf("host%d.example", i), "/" }, "host998.example", "/assets/app.js", 998,
	},
	"wildcard hosts": {
		func(i int) (string, string) { return fmt.Sprintf("*.team%d.example", i), "/" }, "wiki.team998.example", "/assets/app.js", 998,
	},
	"hosts below one wildcard": {
		func(i int) (string, string) {
			if i%2 == 0 {
				return fmt.Sprintf("host%d.example", i), "/"
			}
			return "*.example", fmt.Sprintf("/common/%d/", i)
		}, "host998.example", "/common/997/x", 997,
	},
}

func thousand(t testing.TB, route func(int) (host, path string)) []Route {
	t.Helper()
	rule := newRules(t).of("public")
	routes := make([]Route, 1000)
	for i := range routes {
		host, path := route(i)
		routes[i] = Route{Name: fmt.Sprint(i), Hosts: []string{host}, Path: path, Allow: rule}
	}
	routes[999].Hosts, routes[999].Path = []string{"a.example"}, "/"
	return routes
}

// BenchmarkMatch must stay below 2 microseconds.
func BenchmarkMatch(b *testing.B) {
	for name, test := range thousands {
		b.Run(name, func(b *testing.B) {
			table, err := NewTable(thousand(b, test.route))
			if err != nil {
				b.Fatal(err)
			}
			if got := found(b, table, test.host, test.path); got != fmt.Sprint(test.want) {
				b.Fatalf("%s%s is on route %s, want %d", test.host, test.path, got, test.want)
			}
			target, err := ParseTarget("https", test.host, test.path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if e, err := table.Find(target); e == nil || err != nil {
					b.Fatal(e, err)
				}
			}
		})
	}
}

// BenchmarkNewTable is done at every start and reload, and by check.
func BenchmarkNewTable(b *testing.B) {
	for name, test := range thousands {
		b.Run(name, func(b *testing.B) {
			routes := thousand(b, test.route)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewTable(routes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
