package proxy

import (
	"bufio"
	"net/http"
	"net/textproto"
	"strings"
)

// writeRequest writes a request that direct takes as http.Request.Write does, which sorts
// and looks at much that such a request does not have. Whatever is unusual about one is
// left to it. So that nobody can add a field, or a request, a name that is none is left out, and
// what would end a line becomes a blank (RFC 9112 section 2.2, CVE-2019-9741).
func writeRequest(w *bufio.Writer, r *http.Request) error {
	target := r.URL.RequestURI()
	if !isPlainHost(r.Host) || !isPlain(target) {
		return r.Write(w)
	}
	// The first error stays, and is returned by the last call.
	_, _ = w.WriteString(r.Method)
	_ = w.WriteByte(' ')
	_, _ = w.WriteString(target)
	_, _ = w.WriteString(" HTTP/1.1\r\nHost: ")
	_, _ = w.WriteString(r.Host)
	_, _ = w.WriteString("\r\n")
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // it has neither a body nor another host
		case "User-Agent":
			if values = values[:min(1, len(values))]; len(values) == 0 || values[0] == "" {
				continue
			}
		default:
			if !isToken(name) {
				continue
			}
		}
		for _, value := range values {
			if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
				value = lineEnds.Replace(value)
			}
			_, _ = w.WriteString(name)
			_, _ = w.WriteString(": ")
			_, _ = w.WriteString(textproto.TrimString(value))
			_, _ = w.WriteString("\r\n")
		}
	}
	_, err := w.WriteString("\r\n")
	return err
}

var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

// isPlainHost reports whether a host is one that http.Request would change nothing in: a
// name or an address, perhaps with a port, and neither a zone nor another alphabet.
func isPlainHost(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isAlphanumeric(c) && c != '.' && c != '-' && c != ':' && c != '_' && c != '[' && c != ']' {
			return false
		}
	}
	return s != ""
}

// isPlain reports whether a target is of visible ASCII characters alone.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
