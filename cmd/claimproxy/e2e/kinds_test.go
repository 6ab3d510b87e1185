package e2e

import (
	"bufio"
	bigendian "encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The tests here are about the ways in which an application can be reached, with nginx as the
// application.

// startNginx starts an nginx with these servers.
func startNginx(t *testing.T, servers string) *process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(nginxConfig, servers)), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess("nginx", dir, nil, nginxProgram(), "-e", "stderr", "-p", dir, "-c", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	return p
}

// certificateFor makes a certificate for a name in two files of its own, NAME.pem and
// NAME-key.pem.
func (s *site) certificateFor(name string) {
	s.t.Helper()
	s.certificate(name)
	for old, new := range map[string]string{"cert.pem": name + ".pem", "key.pem": name + "-key.pem"} {
		if err := os.Rename(filepath.Join(s.dir, old), filepath.Join(s.dir, new)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// behind gives a site these upstreams, each with a route of its name.
func (c *changing) behind(upstreams map[string]string) {
	var lines, routes strings.Builder
	for name, upstream := range upstreams {
		fmt.Fprintf(&lines, "  %s: %s\n", name, upstream)
		fmt.Fprintf(&routes, "  - {path: /%s/, upstream: %s, allow: developers}\n", name, name)
	}
	c.config = strings.Replace(strings.Replace(c.config, "routes:\n", "routes:\n"+routes.String(), 1), "upstreams:\n", "upstreams:\n"+lines.String(), 1)
}

func TestApplicationsAreReachedInEveryWay(t *testing.T) {
	t.Parallel()
	need(t, nginx)
	c := newChanging(t)
	const server, client = "app.int.example.test", "claimproxy.int.example.test"
	c.certificateFor(server)
	c.certificateFor(client)
	plain, tls, socket := loopback(freePort(t)), loopback(freePort(t)), filepath.Join(c.dir, "app.sock")
	startNginx(t, strings.NewReplacer("PLAIN", plain, "TLS", tls, "SOCKET", socket, "DIR", c.dir, "SERVER", server, "CLIENT", client).Replace(`
	server { listen PLAIN http2; location / { return 200 "$server_protocol $request_method $request_uri $http_host for $http_x_forwarded_user"; } }
	server { listen unix:SOCKET; location / { return 200 "socket $server_protocol $request_uri for $http_x_forwarded_user"; } }
	server {
		listen TLS ssl http2;
		ssl_certificate DIR/SERVER.pem;
		ssl_certificate_key DIR/SERVER-key.pem;
		ssl_client_certificate DIR/CLIENT.pem;
		ssl_verify_client on;
		location / { return 200 "$server_protocol to $ssl_server_name from $ssl_client_s_dn for $http_x_forwarded_user"; }
	}`))
	good := fmt.Sprintf("ca: %[1]s/%[2]s.pem, cert: %[1]s/%[3]s.pem, key: %[1]s/%[3]s-key.pem", c.dir, server, client)
	c.behind(map[string]string{
		"h2c":     `{url: "h2c://` + plain + `"}`,
		"socket":  `{url: "unix:` + socket + `"}`,
		"tls":     `{url: "https://` + tls + `", server_name: ` + server + `, ` + good + `}`,
		"name":    `{url: "https://` + tls + `", server_name: other.example.test, ` + good + `}`,
		"address": `{url: "https://` + tls + `", ` + good + `}`,
		"unknown": `{url: "https://` + tls + `", server_name: ` + server + `}`,
		"nobody":  `{url: "https://` + tls + `", server_name: ` + server + `, ca: ` + c.dir + "/" + server + `.pem}`,
		"gone":    `{url: "unix:` + socket + `.gone"}`,
	})
	c.start()
	for _, tc := range []struct {
		path   string
		status int
		text   string
	}{
		{"/h2c/caf%C3%A9?a=%2F", 200, "HTTP/2.0 GET /h2c/caf%C3%A9?a=%2F " + mustParse(t, c.url).Host + " for ada"},
		{"/socket/x?y", 200, "socket HTTP/1.1 /socket/x?y for ada"},
		{"/tls/", 200, "HTTP/2.0 to " + server + " from CN=" + client + " for ada"},
		{"/name/", 502, "upstream-unavailable"},
		{"/address/", 502, "upstream-unavailable"},
		{"/unknown/", 502, "upstream-unavailable"},
		{"/nobody/", 400, "No required SSL certificate was sent"}, // by nginx
		{"/gone/", 502, "upstream-unavailable"},
	} {
		a := c.bearer(tc.path, c.ada)
		if a.status != tc.status || !strings.Contains(a.body, tc.text) {
			t.Errorf("%s: got %d %s, want %d %s", tc.path, a.status, clip(a.body), tc.status, tc.text)
		}
		if tc.status == 502 && (strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, ".sock")) {
			t.Errorf("%s: tells where the application is: %s", tc.path, a.body)
		}
	}
}

// TestAServerThatDiesIsNotMissed: one of two servers ends, is gone for a while and comes back.
// No request that may be sent twice is lost, and both are used again.
func TestAServerThatDiesIsNotMissed(t *testing.T) {
	t.Parallel()
	need(t, nginx)
	c := newChanging(t)
	a, b := loopback(freePort(t)), loopback(freePort(t))
	start := func(addr string) *process {
		p := startNginx(t, `server { listen `+addr+`; location / { return 200 "`+addr+`"; } }`)
		if err := p.ready("http://" + addr); err != nil {
			t.Fatal(err)
		}
		return p
	}
	start(a)
	dying := start(b)
	c.behind(map[string]string{"list": `{url: ["http://` + a + `", "http://` + b + `"]}`})
	c.start()

	var served [2]atomic.Int64
	var failed atomic.Int64
	quit := make(chan struct{})
	done := make(chan struct{}, 8)
	client := newClient(nil)
	client.Transport = &http.Transport{MaxIdleConnsPerHost: 8}
	defer client.CloseIdleConnections()
	for range cap(done) {
		go func() {
			defer func() { done <- struct{}{} }()
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-quit:
					return
				case <-pace.C:
				}
				req, err := http.NewRequest(http.MethodGet, "http://"+c.Listen+"/list/", nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Host = mustParse(t, c.url).Host
				req.Header.Set("Authorization", "Bearer "+c.ada)
				res, err := client.Do(req)
				if err != nil {
					failed.Add(1)
					continue
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				switch {
				case err != nil || res.StatusCode != http.StatusOK:
					failed.Add(1)
				case string(body) == a:
					served[0].Add(1)
				default:
					served[1].Add(1)
				}
			}
		}()
	}
	both := func(when string) {
		t.Helper()
		before := [2]int64{served[0].Load(), served[1].Load()}
		eventually(t, patience, when+" both servers are used", func() bool {
			return served[0].Load() > before[0]+50 && served[1].Load() > before[1]+50
		})
	}
	both("at first")
	// nginx finishes what it has begun, and closes what is idle.
	if err := dying.signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if _, err := dying.wait(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	start(b)
	both("afterwards") // after the 10 seconds for which it is left alone
	close(quit)
	for range cap(done) {
		<-done
	}
	t.Logf("%d and %d requests, %d failed", served[0].Load(), served[1].Load(), failed.Load())
	if n := failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}

// TestGRPCCallsGoThrough, as gRPC over HTTP/2 has them: a call is a POST with messages both
// ways at once, and its outcome is in trailers.
func TestGRPCCallsGoThrough(t *testing.T) {
	t.Parallel()
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		if r.Header.Get("Te") != "trailers" || r.ProtoMajor != 2 {
			w.Header().Set("Grpc-Status", "13")
			return
		}
		if r.URL.Path == "/rpc/Service/Fails" {
			w.Header().Set("Grpc-Status", "5") // trailers alone
			w.Header().Set("Grpc-Message", "there is none")
			return
		}
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for {
			message, err := readMessage(r.Body)
			if err != nil {
				break
			}
			writeMessage(w, r.Header.Get("X-Forwarded-User")+" says "+message)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("Grpc-Message", "done")
	}))
	service.Config.Protocols = new(http.Protocols)
	service.Config.Protocols.SetUnencryptedHTTP2(true)
	service.Start()
	t.Cleanup(service.Close)
	c := newChanging(t)
	c.behind(map[string]string{"rpc": `{url: "h2c://` + service.Listener.Addr().String() + `"}`})
	c.start()

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	call := func(method, token string, body io.Reader) *http.Response {
		t.Helper()
		req := request(t, http.MethodPost, "http://"+c.Listen+"/rpc/Service/"+method, body, "Content-Type: application/grpc", "TE: trailers", "Authorization: Bearer "+token)
		req.Host = mustParse(t, c.url).Host
		res, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}

	in, out := io.Pipe()
	res := call("Talks", c.ada, in)
	answers := bufio.NewReader(res.Body)
	for i := range 3 {
		writeMessage(out, fmt.Sprint("number ", i))
		if got, err := readMessage(answers); err != nil || got != fmt.Sprint("ada says number ", i) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 || res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "done" {
		t.Errorf("got %q, %v, and the trailers %v", rest, err, res.Trailer)
	}

	res = call("Fails", c.ada, http.NoBody)
	if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Grpc-Status")+res.Trailer.Get("Grpc-Status") != "5" {
		t.Errorf("got %d, %v, %v", res.StatusCode, res.Header, res.Trailer)
	}
	if res = call("Talks", c.bob, http.NoBody); res.StatusCode != http.StatusForbidden {
		t.Errorf("bob: got %d, want 403", res.StatusCode)
	}
}

// writeMessage and readMessage frame a message as gRPC does: not compressed, with its length.
func writeMessage(w io.Writer, text string) {
	_, _ = w.Write(append(bigendian.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...))
}

func readMessage(r io.Reader) (string, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	text := make([]byte, bigendian.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, text)
	return string(text), err
}
