package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzQuestion: no question about the paths of /closed/ is ever answered with 200, and
// no answer is a status that a front proxy could misunderstand. A stranger who asks the
// same is told nothing about it.
func FuzzQuestion(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "https", publicHost, "/closed/"}, {"GET", "https", publicHost, "/public/../closed/"}, {"CONNECT", "wss", "user@" + publicHost, "/%zz"},
		{"GET", "https", publicHost, "/.auth/check"}, {"GET", "https", publicHost, "https://" + publicHost + "/public/"}, {"get", "HTTPS", "APP.example.org.:1", "/public/%2e%2e/closed/?x#y"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	houses := map[ForwardAuth]*checkHouse{ForwardAuthXForwarded: newCheckHouse(f, ForwardAuthXForwarded, nil), ForwardAuthXOriginal: newCheckHouse(f, ForwardAuthXOriginal, nil)}
	f.Fuzz(func(t *testing.T, method, proto, host, uri string) {
		for family, h := range houses {
			r := &http.Request{Method: "GET", Host: "x", RequestURI: "/.auth/check", RemoteAddr: "127.0.0.1:1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
				"X-Forwarded-Method": {method}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {uri},
				"X-Original-Method": {method}, "X-Original-Url": {proto + "://" + host + uri}, "Forwarded": {"for=127.0.0.1;proto=https;host=" + publicHost},
			}}
			w := &recorded{header: http.Header{}}
			h.proxy.ServeHTTP(w, r)
			e := h.events.next(t)
			switch w.status {
			case 200:
				if target, err := ParseTarget("https", host, uri); family == ForwardAuthXForwarded && (err != nil || target.Host != publicHost || !strings.HasPrefix(target.Path, "/public")) {
					t.Fatalf("%q %q %q %q is let in as %+v", method, proto, host, uri, e)
				}
				if e.Route != "public" {
					t.Fatalf("let in on %q", e.Route)
				}
			case 400:
				if w.header[reasonHeader] != nil {
					t.Fatal("400 with a reason")
				}
			case 401, 403:
				if w.header[reasonHeader] == nil {
					t.Fatalf("%d without a reason", w.status)
				}
			default:
				t.Fatalf("got %d for %q %q %q %q", w.status, method, proto, host, uri)
			}
			r.RemoteAddr = "203.0.113.1:1"
			w = &recorded{header: http.Header{}}
			h.proxy.ServeHTTP(w, r)
			if e := h.events.next(t); w.status != 400 || e.Route != "" || w.header[reasonHeader] != nil {
				t.Fatalf("a stranger's %q %q %q %q: got %d about %+v", method, proto, host, uri, w.status, e)
			}
		}
	})
}

// recorded is an answer without its body.
type recorded struct {
	header http.Header
	status int
}

func (w *recorded) Header() http.Header         { return w.header }
func (w *recorded) WriteHeader(status int)      { w.status = status }
func (w *recorded) Write(b []byte) (int, error) { return len(b), nil }
