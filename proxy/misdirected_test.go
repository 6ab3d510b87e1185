package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestConnectionsForOtherHosts (HOST-06): what TLS was opened for and what a request on it
// names are one host, but for those who may have one connection for many.
func TestConnectionsForOtherHosts(t *testing.T) {
	u := newWire(t)
	for name, test := range map[string]struct {
		sni, host string
		trusted   bool
		status    int
	}{
		"the same host":     {publicHost, publicHost, false, 200},
		"another spelling":  {publicHost, strings.ToUpper(publicHost) + ".:8443", false, 200},
		"another host":      {"harmless.example.org", publicHost, false, 421},
		"no name":           {"", publicHost, false, 200},
		"a trusted proxy":   {"claimproxy.internal", publicHost, true, 200},
		"a host that is no": {publicHost, "a b", false, 400},
	} {
		for _, h2 := range []bool{false, true} {
			h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()}}, func(c *Config) {
				if test.trusted {
					c.Trusted.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
				}
			})
			srv := httptest.NewUnstartedServer(h.proxy)
			srv.EnableHTTP2 = h2
			srv.Config.ErrorLog = ErrorLog(quiet())
			srv.StartTLS()
			if strings.Contains(test.host, " ") && h2 {
				srv.Close()
				continue // Go's client does not send it
			}
			var status int
			if h2 {
				tr := srv.Client().Transport.(*http.Transport).Clone()
				tr.TLSClientConfig.ServerName, tr.TLSClientConfig.InsecureSkipVerify = test.sni, true
				if test.sni == "" {
					tr.TLSClientConfig.ServerName = "127.0.0.1" // addresses are not sent
				}
				req, _ := http.NewRequest("GET", srv.URL, nil)
				req.Host = test.host
				res, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.ProtoMajor != 2 {
					t.Fatalf("got %s", res.Proto)
				}
				status = res.StatusCode
				tr.CloseIdleConnections()
			} else {
				c, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{ServerName: test.sni, InsecureSkipVerify: true})
				if err != nil {
					t.Fatal(err)
				}
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+test.host+"\r\nConnection: close\r\n\r\n")
				answer, _ := io.ReadAll(c)
				c.Close()
				if len(answer) > 12 {
					for _, b := range answer[9:12] {
						status = 10*status + int(b-'0')
					}
				}
			}
			if status != test.status {
				t.Errorf("%s, HTTP/2 %v: got %d, want %d", name, h2, status, test.status)
			}
			srv.Close()
		}
	}
}

// TestBodiesThatNeverComeOnHTTP2 do not hold their stream, and bodies that come slowly pass.
func TestBodiesThatNeverComeOnHTTP2(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), nil)
	h.bodyTimeout(400 * time.Millisecond)
	srv := httptest.NewUnstartedServer(h.proxy)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	send := func(body io.Reader) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = publicHost
		return srv.Client().Do(req)
	}
	pr, pw := io.Pipe()
	go func() {
		for range 8 {
			_, _ = pw.Write([]byte("x"))
			time.Sleep(100 * time.Millisecond)
		}
		pw.Close()
	}()
	if res, err := send(pr); err != nil || res.StatusCode != 200 {
		t.Errorf("a slow body: got %+v, %v", res, err)
	}
	never, hold := io.Pipe()
	defer hold.Close()
	began := time.Now()
	switch res, err := send(never); {
	case err != nil:
		t.Errorf("a body that never came: %v", err)
	case res.StatusCode != http.StatusRequestTimeout:
		t.Errorf("a body that never came: got %d", res.StatusCode)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestFormsForOwnPagesThatNeverComeOnHTTP2 do not hold their stream either: whoever asks for
// such a page is a stranger, and streams are cheap.
func TestFormsForOwnPagesThatNeverComeOnHTTP2(t *testing.T) {
	read := make(chan error, 1)
	h := application(t, http.NotFoundHandler(), func(c *Config) {
		c.Own = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
		})
	})
	srv := httptest.NewUnstartedServer(h.proxy)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	never, hold := io.Pipe()
	defer hold.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*ownBody)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/.auth/backchannel-logout/invent", never)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = publicHost
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatalf("got no answer: %v", err)
	}
	res.Body.Close()
	if err := <-read; !isTooSlow(err) {
		t.Errorf("the body ended with %v, want that it did not come in time", err)
	}
}
