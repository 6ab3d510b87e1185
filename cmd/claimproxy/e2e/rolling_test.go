package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests here restart claimproxy while it is used. Every request is one that a client has
// a right to, and none may be lost.

// steady is a load that goes on until it is told to end.
type steady struct {
	t       *testing.T
	asked   atomic.Int64
	workers sync.WaitGroup
	quit    chan struct{}
}

// load sends some hundred requests a second to a site, over connections that stay open and
// over new ones, three of four as POST with a body, which no proxy and no client may send
// twice. Each has to be answered by the application.
func (c *changing) load(t *testing.T) *steady {
	t.Helper()
	s := &steady{t: t, quit: make(chan struct{})}
	open := &http.Transport{MaxIdleConnsPerHost: 16}
	for worker := range 8 {
		client := newClient(nil)
		if worker%2 == 0 {
			client.Transport = open
		}
		s.workers.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for i := worker; ; i++ {
				select {
				case <-s.quit:
					return
				case <-pace.C:
				}
				s.asked.Add(1)
				if err := c.askOnce(client, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Cleanup(func() { s.end(); open.CloseIdleConnections() })
	return s
}

func (c *changing) askOnce(client *http.Client, i int) error {
	method, body := http.MethodPost, fmt.Sprintf("number %d", i)
	if i%4 == 0 {
		method, body = http.MethodGet, ""
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:"+mustParse(c.t, c.url).Port()+"/developers/x", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Host = mustParse(c.t, c.url).Host
	req.Header.Set("Authorization", "Bearer "+c.ada)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: got status %d, want 200", method, body, res.StatusCode)
	}
	return nil
}

// end ends the load, once, and says how many requests there were.
func (s *steady) end() int64 {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	s.workers.Wait()
	return s.asked.Load()
}

// TestARollingRestartBehindHAProxyLosesNoRequest: two claimproxies behind the HAProxy of
// docs/operations.md, of which one after the other is restarted.
func TestARollingRestartBehindHAProxyLosesNoRequest(t *testing.T) {
	t.Parallel()
	need(t, haproxy)
	first, second := newChanging(t), newChanging(t)
	front := mustParse(t, first.url).Port()
	second.url, second.Issuer, second.Recorder = first.url, first.Issuer, first.Recorder
	config := documented(t, "operations.md", "haproxy")
	for i, c := range []*changing{first, second} {
		admin := loopback(freePort(t))
		c.Listen = loopback(freePort(t))
		c.config += "shutdown_delay: 2s\nadmin: {listen: \"" + admin + "\"}\n"
		old := []string{"10.0.0.11:8080 port 8081", "10.0.0.12:8080 port 8081"}[i]
		if !strings.Contains(config, old) {
			t.Fatalf("docs/operations.md has no %q any more", old)
		}
		config = strings.Replace(config, old, c.Listen+" port "+mustParse(t, "//"+admin).Port(), 1)
		c.start()
	}
	startHAProxy(t, first.site, strings.Replace(config, "bind :443 ssl crt /etc/haproxy/telemetry.pem alpn h2,http/1.1", "bind 127.0.0.1:"+front, 1))
	client := newClient(nil)
	eventually(t, patience, "HAProxy reaches claimproxy", func() bool { return first.askOnce(client, 0) == nil })

	load := first.load(t)
	first.restart()
	time.Sleep(time.Second) // until HAProxy has seen it back: two checks
	second.restart()
	time.Sleep(time.Second)
	n := load.end()
	t.Logf("%d requests", n)
	if n < 100 {
		t.Errorf("only %d requests were sent", n)
	}
	for i, c := range []*changing{first, second} {
		if !strings.Contains(c.process.out.since(0), `"path":"/developers/x"`) {
			t.Errorf("number %d was not used after it came back", i)
		}
	}
}

// TestARestartBehindASocketThatIsHeldLosesNoRequest: what systemd does for a socket unit,
// the test does itself. It holds the socket while claimproxy is restarted.
func TestARestartBehindASocketThatIsHeldLosesNoRequest(t *testing.T) {
	t.Parallel()
	c := newChanging(t)
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	held, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Cleanup(func() { held.Close() })
	c.held = held
	c.config = strings.Replace(c.config, "listen: {{.Listen}}", "listen: systemd:web\nshutdown_delay: 1s", 1)
	c.start()
	load := c.load(t)
	for range 3 {
		c.restart()
	}
	n := load.end()
	t.Logf("%d requests", n)
	if n < 100 {
		t.Errorf("only %d requests were sent", n)
	}
}
