package proxy

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"testing"
)

// FuzzWriteRequest holds what the short way writes against what http.Request does: the
// same fields, whatever stands in their names and values, and one request each.
func FuzzWriteRequest(f *testing.F) {
	for _, c := range [][4]string{
		{"app.example.org", "/a%20b", "X-A", "b"}, {"app.example.org", "/", "X-A", "b\r\nX-Forwarded-User: admin"}, {"app.example.org", "/", "X-A: b\r\nX-B", "c"},
		{"app.example.org\r\nX-A: b", "/", "X-A", "b"}, {"", "/", "X-A", "b"}, {"[::1]:80", "/a b", "Host", "b"}, {"[fe80::1%25eth0]:80", "/", "User-Agent", ""},
		{"app.example.org", "/a\r\nb", "Content-Length", "1"}, {"app.example.org", "//a/b?c", "Transfer-Encoding", "chunked"}, {"b\u00fccher.example", "/", "X-A", "\u00e4"},
		{"a.example/b", "/", " X-A", "\tb "}, {"a.example", "*", "X-\u00c4", "b\n\nGET / HTTP/1.1\n"}, {"a.example", "/", "", "b"}, {"a.example", "/", "X-A", "b\x00c"},
	} {
		f.Add(c[0], c[1], c[2], c[3])
	}
	f.Fuzz(func(t *testing.T, host, path, name, value string) {
		r := &http.Request{
			Method: "GET", Host: host, URL: &url.URL{Scheme: "http", Host: "server.example", Path: "/", RawPath: "/", RawQuery: path},
			Header: http.Header{"User-Agent": {"x", "y"}, "Accept": {"a", "b"}, name: {value, value}},
		}
		if path != "" && path[0] == '/' {
			r.URL = &url.URL{Scheme: "http", Host: "server.example", Opaque: path}
		}
		var short, long bytes.Buffer
		w := bufio.NewWriter(&short)
		errShort, errLong := writeRequest(w, r), r.Write(&long)
		_ = w.Flush()
		if (errShort == nil) != (errLong == nil) {
			t.Fatalf("short way %v, Request.Write %v", errShort, errLong)
		}
		if errLong == nil && byName(short.String()) != byName(long.String()) {
			t.Errorf("short way:\n%q\nRequest.Write:\n%q", short.String(), long.String())
		}
	})
}

func BenchmarkWriteRequest(b *testing.B) {
	h := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Referer", "User-Agent", "X-Forwarded-Email", "X-Forwarded-For", "X-Forwarded-Groups",
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "X-Real-Ip", "X-Request-Id"} {
		h.Set(name, "a value")
	}
	r := &http.Request{Method: "GET", Host: publicHost, URL: &url.URL{Path: "/x"}, Header: h}
	var to bytes.Buffer
	w := bufio.NewWriter(&to)
	b.ReportAllocs()
	for b.Loop() {
		if err := writeRequest(w, r); err != nil {
			b.Fatal(err)
		}
		_ = w.Flush()
		to.Reset()
	}
}
