package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw2 is a client of HTTP/2 that sends frames as no client should.
type raw2 struct {
	t    *testing.T
	conn net.Conn
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
	// ended is closed when the server has ended the connection, and goAway why, if it said.
	ended  chan struct{}
	mu     sync.Mutex
	goAway *http2.ErrCode
	status map[uint32]string
}

// attack opens a connection to the public listener, and reads what comes back unless deaf.
func (r *running) attack(deaf bool) *raw2 {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := &raw2{t: r.t, conn: conn, Framer: http2.NewFramer(conn, conn), ended: make(chan struct{}), status: map[uint32]string{}}
	c.enc = hpack.NewEncoder(&c.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		r.t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		r.t.Fatal(err)
	}
	if !deaf {
		go c.read()
	}
	return c
}

func (c *raw2) read() {
	defer close(c.ended)
	dec := hpack.NewDecoder(4096, nil)
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			c.mu.Lock()
			code := f.ErrCode
			c.goAway = &code
			c.mu.Unlock()
		case *http2.HeadersFrame:
			fields, _ := dec.DecodeFull(f.HeaderBlockFragment())
			for _, h := range fields {
				if h.Name == ":status" {
					c.mu.Lock()
					c.status[f.StreamID] = h.Value
					c.mu.Unlock()
				}
			}
		}
	}
}

func (c *raw2) statusOf(stream uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status[stream]
}

func (c *raw2) why() http2.ErrCode {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goAway == nil {
		return http2.ErrCodeNo
	}
	return *c.goAway
}

// request is the header block of a request.
func (c *raw2) request(path string, more ...hpack.HeaderField) []byte {
	c.block.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "localhost"}, {Name: ":path", Value: path},
	}, more...) {
		if err := c.enc.WriteField(f); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.block.Bytes()
}

// survived checks that the program is as it was before an attack: others are answered, the
// heap has not grown, but for the log that the test keeps, and goroutines have ended.
func (r *running) survived(heapBefore int64, goroutines int) {
	r.t.Helper()
	if status, body := r.ask("GET", r.public+"/open/other"); status != http.StatusOK || !strings.HasPrefix(body, "the application") {
		r.t.Errorf("somebody else: got %d %q", status, body)
	}
	r.client.CloseIdleConnections()
	eventually(r.t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+10 })
	if grown := heap() - heapBefore; grown > 64<<20 {
		r.t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
}

// TestHTTP2RapidReset (CVE-2023-44487): requests that are taken back at once do not pile
// up, here or at the application.
func TestHTTP2RapidReset(t *testing.T) {
	var now, most atomic.Int64
	r := start(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/open/other" {
			echo(w, req)
			return
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-req.Context().Done()
	}, "", routes)
	r.ask("GET", r.public+"/open/other")
	before, goroutines := heap(), runtime.NumGoroutine()
	var all sync.WaitGroup
	for range 2 {
		c := r.attack(false)
		all.Go(func() {
			for i := range uint32(20_000) {
				id := 2*i + 1
				if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.request("/open/slow"), EndStream: true, EndHeaders: true}) != nil ||
					c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					break
				}
			}
			c.conn.Close()
			<-c.ended
			t.Logf("the connection ended with %v", c.why())
		})
	}
	if status, _ := r.ask("GET", r.public+"/open/other"); status != http.StatusOK {
		t.Errorf("somebody else, meanwhile: got %d", status)
	}
	all.Wait()
	if most.Load() > 2*250 {
		t.Errorf("the application had %d requests at once from two connections", most.Load())
	}
	eventually(t, "the application has none left", func() bool { return now.Load() == 0 })
	r.survived(before, goroutines)
}

// TestHTTP2ContinuationFlood (CVE-2023-45288): a header that never ends is not collected,
// nor read for ever.
func TestHTTP2ContinuationFlood(t *testing.T) {
	r := start(t, echo, "", routes)
	r.ask("GET", r.public+"/open/other")
	before, goroutines := heap(), runtime.NumGoroutine()
	c := r.attack(false)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.request("/open/x"), EndStream: true}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for i := range 20_000 {
		c.block.Reset()
		_ = c.enc.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: strings.Repeat("v", 8000), Sensitive: true})
		if c.WriteContinuation(1, false, c.block.Bytes()) != nil {
			break
		}
		sent += c.block.Len()
	}
	if sent > 64<<20 {
		t.Errorf("%d MiB of a header were read", sent>>20)
	}
	c.conn.Close()
	<-c.ended
	r.survived(before, goroutines)
}

// TestHTTP2PingAndSettingsFlood (CVE-2019-9512, CVE-2019-9515): answers that nobody reads
// are not kept.
func TestHTTP2PingAndSettingsFlood(t *testing.T) {
	for name, send := range map[string]func(*raw2) error{
		"pings": func(c *raw2) error { return c.WritePing(false, [8]byte{}) },
		"settings": func(c *raw2) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14})
		},
		"window updates and priorities": func(c *raw2) error {
			_ = c.WriteWindowUpdate(0, 1)
			return c.WritePriority(1001, http2.PriorityParam{StreamDep: 3, Weight: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, echo, "", routes)
			r.ask("GET", r.public+"/open/other")
			before, goroutines := heap(), runtime.NumGoroutine()
			c := r.attack(true)
			_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			n := 0
			for ; n < 150_000; n++ {
				if send(c) != nil {
					break
				}
			}
			t.Logf("%d were sent", n)
			if grown := heap() - before; grown > 64<<20 {
				t.Errorf("the heap has grown by %d KiB while the connection is open", grown>>10)
			}
			c.conn.Close()
			r.survived(before, goroutines)
		})
	}
}

// TestHPACKBomb: a field of the table costs one byte each time it is named, and is counted
// by what it is.
func TestHPACKBomb(t *testing.T) {
	r := start(t, echo, "", routes)
	r.ask("GET", r.public+"/open/other")
	before, goroutines := heap(), runtime.NumGoroutine()
	c := r.attack(false)
	large := hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("v", 3900)}
	id := uint32(1)
	for range 20 {
		block := bytes.Clone(c.request("/open/x", large))
		for len(block) < 16<<10 {
			c.block.Reset()
			_ = c.enc.WriteField(large) // one byte
			block = append(block, c.block.Bytes()...)
		}
		if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:16<<10], EndStream: true, EndHeaders: true}) != nil {
			break
		}
		id += 2
	}
	eventually(t, "the first one is refused", func() bool {
		select {
		case <-c.ended:
			return true
		default:
			return c.statusOf(1) == "431"
		}
	})
	c.conn.Close()
	<-c.ended
	r.survived(before, goroutines)

	// The positive twin: the same field now and then is no bomb.
	c = r.attack(false)
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.request("/open/x", large, large, large), EndStream: true, EndHeaders: true})
	eventually(t, "it is answered", func() bool { return c.statusOf(1) == "200" })
	c.conn.Close()
}

// TestSlowlorisOnHTTP2 (CVE-2026-56853): neither a preface nor a header that does not end
// holds a connection.
func TestSlowlorisOnHTTP2(t *testing.T) {
	r := start(t, echo, "limits: {header_timeout: 1s, idle_timeout: 1s}\n", routes)
	for name, sent := range map[string]string{
		"in the preface":      http2.ClientPreface[:9],
		"before the settings": http2.ClientPreface,
		"after them":          http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"in a header":         http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			_, _ = io.WriteString(conn, sent)
			if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) && strings.Contains(err.Error(), "timeout") {
				t.Errorf("the connection is open after 20 s")
			}
		})
	}
}
