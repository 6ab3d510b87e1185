package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestWhereABodyEnds sends what servers have not agreed upon where it ends (class SMG:
// CL.TE, TE.CL, TE.TE, CVE-2025-22871, CVE-2023-39326, CVE-2019-20372), each with a
// request behind it that nobody may send, and its twin, which is the same in good order.
// The upstream gets one request at most, whole and framed once, and never the one behind.
func TestWhereABodyEnds(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	const (
		post     = "POST /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n"
		get      = "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n"
		chunked  = "Transfer-Encoding: chunked\r\n"
		smuggled = "GET /admin/smuggled HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"
		// size is that of the request behind, where it is a body.
		size = "Content-Length: 55"
		// good is a body in chunks, and its twin a plain one.
		good  = post + chunked + "\r\n4\r\nbody\r\n0\r\n\r\n"
		plain = post + "Content-Length: 4\r\n\r\nbody"
		bare  = get + "\r\n"
	)
	if len(smuggled) != 55 {
		t.Fatalf("the request behind has %d bytes", len(smuggled))
	}
	for name, test := range map[string]struct {
		attack, twin string
		// status of the attack: 400 to 599, or 200 if it has one reading; 0 for either, or for
		// an answer that breaks off with the body.
		status int
	}{
		"a length behind chunks":                {post + chunked + "Content-Length: 4\r\n\r\n0\r\n\r\n" + smuggled, good, 200},
		"a length before chunks":                {post + "Content-Length: 6\r\n" + chunked + "\r\n0\r\n\r\n" + smuggled, plain, 200},
		"a length of nothing before chunks":     {post + "Content-Length: 0\r\n" + chunked + "\r\n0\r\n\r\n" + smuggled, good, 200},
		"chunks twice":                          {post + chunked + chunked + "\r\n0\r\n\r\n" + smuggled, good, 501},
		"chunks twice in a list":                {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + smuggled, good, 501},
		"chunks and something else":             {post + chunked + "Transfer-encoding: cow\r\n\r\n0\r\n\r\n" + smuggled, good, 501},
		"something else and chunks":             {post + "Transfer-Encoding: cow\r\n" + chunked + "\r\n0\r\n\r\n" + smuggled, good, 501},
		"chunks in quotes":                      {post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + smuggled, good, 501},
		"chunks with a parameter":               {post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" + smuggled, good, 501},
		"chunks behind a fold":                  {post + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled, good, 200},
		"chunks behind a blank before the mark": {post + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 400},
		"chunks with a NUL":                     {post + "Transfer-Encoding: chunked\x00\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 400},
		"chunks with a bare return":             {post + "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 400},
		"chunks in another spelling":            {post + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 200},
		"an encoding of nothing":                {post + "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 501},
		"identity":                              {post + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, plain, 501},
		"chunks on HTTP/1.0 that stays":         {"POST /public/ HTTP/1.0\r\nHost: " + publicHost + "\r\nConnection: keep-alive\r\n" + chunked + "Content-Length: 4\r\n\r\n0\r\n\r\n" + smuggled, "GET /public/ HTTP/1.0\r\nHost: " + publicHost + "\r\nConnection: keep-alive\r\n\r\n", 0},
		"a length that Connection names":        {post + "Connection: Content-Length\r\n" + size + "\r\n\r\n" + smuggled, plain, 200},
		"chunks that Connection names":          {post + "Connection: Transfer-Encoding\r\n" + chunked + "\r\n" + "37\r\n" + smuggled + "\r\n0\r\n\r\n", good, 200},
		"a length on GET":                       {get + size + "\r\n\r\n" + smuggled, bare, 200},
		"a length on HEAD":                      {"HEAD" + get[3:] + size + "\r\n\r\n" + smuggled, bare, 200},
		"chunks on GET":                         {get + chunked + "\r\n37\r\n" + smuggled + "\r\n0\r\n\r\n", bare, 200},
		"lengths apart":                         {post + "Content-Length: 4\r\nX: y\r\nContent-Length: 0\r\n\r\n" + smuggled, plain, 400},
		"a length in another spelling":          {post + "Content_Length: 0\r\n" + size + "\r\n\r\n" + smuggled, plain, 200},
		"a length with a blank inside":          {post + "Content-Length: 7 9\r\n\r\n" + smuggled, plain, 400},
		"a length with a tab":                   {post + "Content-Length:\t55\r\n\r\n" + smuggled, plain, 200},
		"a length with an underscore":           {post + "Content-Length: 7_9\r\n\r\n" + smuggled, plain, 400},
		"a length with a fraction":              {post + "Content-Length: 79.0\r\n\r\n" + smuggled, plain, 400},
		"a length that wraps around":            {post + "Content-Length: 18446744073709551620\r\n\r\n" + smuggled, plain, 400},
		"a chunk's line that ends with LF":      {post + chunked + "\r\n4\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"an extension with a LF":                {post + chunked + "\r\n4;x\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"an extension with a bare return":       {post + chunked + "\r\n4;x\rbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"chunks that end with LF alone":         {post + chunked + "\r\n4\r\nbody\n0\n\n" + smuggled, good, 0},
		"a chunk's length with 0x":              {post + chunked + "\r\n0x4\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"a chunk's length with a sign":          {post + chunked + "\r\n+4\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"a chunk's length with an underscore":   {post + chunked + "\r\n0_4\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"a chunk without a length":              {post + chunked + "\r\n\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"a chunk's length that wraps around":    {post + chunked + "\r\n10000000000000004\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"a chunk that is longer than it says":   {post + chunked + "\r\n2\r\nbody\r\n0\r\n\r\n" + smuggled, good, 0},
		"chunks of one byte with long words":    {post + chunked + "\r\n" + strings.Repeat("1;"+strings.Repeat("a", 60)+"\r\nb\r\n", 5000) + "0\r\n\r\n" + smuggled, good, 0},
		"a trailer that is a request":           {post + chunked + "Trailer: X-A\r\n\r\n0\r\nX-A: b\r\n" + smuggled, post + chunked + "Trailer: X-A\r\n\r\n0\r\nX-A: b\r\n\r\n", 0},
		"a trailer with a second end":           {post + chunked + "Trailer: Content-Length, Transfer-Encoding\r\n\r\n4\r\nbody\r\n0\r\nContent-Length: 55\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, good, 0},
		"no headers, as in HTTP/0.9":            {"GET /public/\r\n" + smuggled, bare, 400},
		"a version before all":                  {"GET /public/ HTTP/0.9\r\nHost: " + publicHost + "\r\n\r\n" + smuggled, bare, 505},
		"a version without a point":             {"GET /public/ HTTP/1\r\nHost: " + publicHost + "\r\n\r\n" + smuggled, bare, 400},
		"HTTP/2's first line":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled, bare, 0},
		"a version with more digits":            {"GET /public/ HTTP/1.10\r\nHost: " + publicHost + "\r\n\r\n" + smuggled, bare, 400},
		"an upgrade to HTTP/2":                  {get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" + smuggled, bare, 200},
		"a websocket that is refused":           {get + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + smuggled, bare, 200},
	} {
		t.Run(name, func(t *testing.T) {
			u.took()
			if res := h.raw(t, test.twin); res.StatusCode != 200 {
				t.Fatalf("the twin: got %d, want 200: %s", res.StatusCode, res.body)
			}
			u.one(t)
			status := h.statusOf(t, test.attack)
			if test.status != 0 && status != test.status {
				t.Errorf("got %d, want %d", status, test.status)
			}
			heads := u.took()
			if test.status >= 400 && len(heads) > 0 || len(heads) > 1 {
				t.Errorf("the upstream got %q", heads)
			}
			for _, head := range heads {
				if strings.Contains(head, "smuggled") || len(values(head, "Content-Length"))+len(values(head, "Transfer-Encoding")) > 1 {
					t.Errorf("the upstream got\n%s", head)
				}
			}
		})
	}
	// And the connections to the upstream carry the next request of somebody else.
	for range 3 {
		if res := h.raw(t, good); res.StatusCode != 200 || res.body != "upstream" {
			t.Errorf("afterwards: got %d %q", res.StatusCode, res.body)
		}
	}
}

// TestNobodyHoldsAConnectionWithHalfARequest: who never ends a chunk, an extension or a
// trailer is not waited for with memory: what is read of it is bounded, and the upstream is
// asked no second thing.
func TestNobodyHoldsAConnectionWithHalfARequest(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	const head = "POST /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, endless := range map[string]string{
		"an extension":            "1;",
		"the length of a chunk":   "",
		"a trailer":               "1\r\na\r\n0\r\nX-A: ",
		"the blanks of a trailer": "1\r\na\r\n0\r\nX-A:\r\n ",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, err = io.WriteString(c, head+endless)
			more := strings.Repeat("0", 64<<10)
			sent := 0
			for ; err == nil && sent < 64<<20; sent += len(more) {
				_, err = io.WriteString(c, more)
			}
			if err == nil {
				t.Errorf("%d bytes were taken", sent)
			}
		})
	}
	if res := h.raw(t, head+"1;x=y\r\na\r\n0\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("the twin: got %d", res.StatusCode)
	}
}
