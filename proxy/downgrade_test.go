package proxy

import (
	"bytes"
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHTTP2RequestsWithTwoReadings sends in frames what would be something else once it is
// written as HTTP/1.1 (H2.CL, H2.TE, CVE-2021-39240 to 39242, CVE-2026-48743): an upstream
// of HTTP/1.1 gets one request, framed once, of the host that was decided on, or none.
func TestHTTP2RequestsWithTwoReadings(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	srv := httptest.NewUnstartedServer(h.proxy)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = ErrorLog(quiet())
	srv.StartTLS()
	defer srv.Close()
	addr := srv.Listener.Addr().String()

	type field = hpack.HeaderField
	target := func(method, path, authority string) []field {
		return []field{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path}, {Name: ":authority", Value: authority}}
	}
	with := func(fields []field, more ...field) []field { return append(fields, more...) }
	post, get := target("POST", "/public/", publicHost), target("GET", "/public/", publicHost)
	const smuggled = "GET /admin/smuggled HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"
	for name, test := range map[string]struct {
		fields []field
		body   string
		// passes is whether it has one reading.
		passes bool
	}{
		"a body":                                {post, "body", true},
		"a body of the length it says":          {with(post, field{Name: "content-length", Value: "4"}), "body", true},
		"a body that looks like a request":      {post, smuggled, true},
		"nothing":                               {get, "", true},
		"a header in small letters":             {with(get, field{Name: "x-a", Value: "b"}), "", true},
		"the same host again":                   {with(get, field{Name: "host", Value: publicHost}), "", true},
		"a body longer than it says":            {with(post, field{Name: "content-length", Value: "0"}), smuggled, false},
		"a body shorter than it says":           {with(post, field{Name: "content-length", Value: "400"}), "body", false},
		"two lengths":                           {with(post, field{Name: "content-length", Value: "4"}, field{Name: "content-length", Value: "0"}), "body", true}, // the frames say where it ends, and the upstream gets one
		"a length that is none":                 {with(post, field{Name: "content-length", Value: "4x"}), "body", false},
		"chunks":                                {with(post, field{Name: "transfer-encoding", Value: "chunked"}), "0\r\n\r\n" + smuggled, false},
		"a connection":                          {with(get, field{Name: "connection", Value: "x-forwarded-user"}), "", false},
		"an upgrade":                            {with(get, field{Name: "upgrade", Value: "websocket"}), "", false},
		"te":                                    {with(get, field{Name: "te", Value: "chunked"}), "", false},
		"a line end in a value":                 {with(get, field{Name: "x-a", Value: "b\r\nX-Forwarded-User: admin"}), "", false},
		"a line feed in a value":                {with(get, field{Name: "x-a", Value: "b\nX-Forwarded-User: admin"}), "", false},
		"a NUL in a value":                      {with(get, field{Name: "x-a", Value: "b\x00"}), "", false},
		"a line end in a name":                  {with(get, field{Name: "x-a: b\r\nx-forwarded-user", Value: "admin"}), "", false},
		"a colon in a name":                     {with(get, field{Name: "transfer-encoding: chunked\r\nx", Value: "y"}), "", false},
		"a name in capitals":                    {with(get, field{Name: "X-Forwarded-User", Value: "admin"}), "", false},
		"a name with a blank":                   {with(get, field{Name: "x-forwarded-user ", Value: "admin"}), "", false},
		"no name":                               {with(get, field{Name: "", Value: "admin"}), "", false},
		"a method that is a request":            {target("GET /admin/smuggled HTTP/1.1\r\nHost: x\r\n\r\nGET", "/public/", publicHost), "", false},
		"a method with a blank":                 {target("GET /admin/", "/public/", publicHost), "", false},
		"a path that is a request":              {target("GET", "/public/ HTTP/1.1\r\nHost: x\r\n\r\nGET /admin/smuggled", publicHost), "", false},
		"a path that is none":                   {target("GET", "public/", publicHost), "", false},
		"no path":                               {target("GET", "", publicHost), "", false},
		"an absolute path":                      {target("GET", "https://evil.example/public/", publicHost), "", false},
		"an authority with a line end":          {target("GET", "/public/", publicHost+"\r\nX-Forwarded-User: admin"), "", false},
		"an authority with a user":              {target("GET", "/public/", "evil.example@"+publicHost), "", false},
		"an authority with a path":              {target("GET", "/public/", publicHost+"/admin"), "", false},
		"another host beside the authority":     {with(get, field{Name: "host", Value: "evil.example"}), "", false},
		"two hosts beside the authority":        {with(get, field{Name: "host", Value: publicHost}, field{Name: "host", Value: "evil.example"}), "", false},
		"no authority and no host":              {get[:3], "", false},
		"two methods":                           {with([]field{{Name: ":method", Value: "POST"}}, get...), "", false},
		"two paths":                             {with([]field{{Name: ":path", Value: "/admin/"}}, get...), "", false},
		"a field of the first line at the end":  {with(get[:3], field{Name: "x-a", Value: "b"}, get[3]), "", false},
		"a field of the first line that is new": {with(get, field{Name: ":protocol", Value: "websocket"}), "", false},
		"a tunnel":                              {[]field{{Name: ":method", Value: "CONNECT"}, {Name: ":authority", Value: "internal.example:443"}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			u.took()
			status := sendFrames(t, addr, test.fields, test.body)
			if (status == 200) != test.passes {
				t.Errorf("got %d, want it to pass: %v", status, test.passes)
			}
			heads := u.took()
			if test.passes && len(heads) != 1 || len(heads) > 1 {
				t.Errorf("the upstream got %q", heads)
			}
			for _, head := range heads {
				if strings.Contains(head, "smuggled") || strings.Contains(head, "admin") || strings.Contains(head, "evil") || !strings.Contains(head, " /public/ HTTP/1.1\r\nHost: "+publicHost+"\r\n") ||
					len(values(head, "Content-Length"))+len(values(head, "Transfer-Encoding")) > 1 {
					t.Errorf("the upstream got\n%s", head)
				}
			}
		})
	}
}

// sendFrames sends one request as it is, and returns the status of the answer, 0 for none.
func sendFrames(t *testing.T, addr string, fields []hpack.HeaderField, body string) (status int) {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Write([]byte(http2.ClientPreface))
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	_ = f.WriteSettings()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, field := range fields {
		_ = enc.WriteField(field)
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		_ = f.WriteData(1, true, []byte(body))
	}
	dec := hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if field.Name == ":status" {
			for _, digit := range []byte(field.Value) {
				status = 10*status + int(digit-'0')
			}
		}
	})
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return status
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			_, _ = dec.Write(frame.HeaderBlockFragment())
			if status >= 200 {
				return status
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return status
		}
	}
}
