package login

import (
	"net/http"
	"net/url"
	"testing"
)

// FuzzParameter: a parameter is what url.URL's Query says that it is, whatever the query.
func FuzzParameter(f *testing.F) {
	for _, query := range []string{
		"", "return_to=%2Fx", "a=1&return_to=/y&return_to=/z", "%72eturn_to=%2Fx+y", "return_to", "return_to=%zz&return_to=/a", "return_to=a;b&return_to=c",
		"&&=&return_to=", "return+to=x", "return%5Fto=x&%zz=1", "return_to=a=b&x", "Return_to=x",
	} {
		f.Add(query, "return_to")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		if got, want := parameter(r, name), r.URL.Query().Get(name); got != want {
			t.Errorf("%q of %q: got %q, want %q", name, query, got, want)
		}
	})
}
