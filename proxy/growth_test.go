package proxy

import (
	"fmt"
	"testing"
)

// BenchmarkGrowthRoutes is to find the last but one of so many routes, which are of a host
// each or all of one host.
func BenchmarkGrowthRoutes(b *testing.B) {
	rule := newRules(b).of("public")
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		for name, route := range map[string]func(i int) (host, path string){
			"one host":    func(i int) (string, string) { return "a.example", fmt.Sprintf("/api/v%d/section%d/", i%7, i) },
			"a host each": func(i int) (string, string) { return fmt.Sprintf("host%d.example", i), "/" },
		} {
			routes := make([]Route, n)
			for i := range routes {
				host, path := route(i)
				routes[i] = Route{Name: fmt.Sprint(i), Hosts: []string{host}, Path: path, Allow: rule}
			}
			b.Run(fmt.Sprintf("routes=%d/%s", n, name), func(b *testing.B) {
				table, err := NewTable(routes)
				if err != nil {
					b.Fatal(err)
				}
				host, path := route(max(n-2, 0))
				target, err := ParseTarget("https", host, path+"dashboards")
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
}
