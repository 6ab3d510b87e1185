package provider_test

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func clone(m map[string]any) map[string]any { return maps.Clone(m) }

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// writeBomb writes so many zeros, compressed.
func writeBomb(w io.Writer, size int) {
	z := gzip.NewWriter(w)
	for piece := make([]byte, 64<<10); size > 0; size -= len(piece) {
		if _, err := z.Write(piece); err != nil {
			return
		}
	}
	z.Close()
}

// answerJSON is a network whose every host gives the same document.
func answerJSON(doc map[string]any) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		body, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

// calls is every way a Provider calls out, with the endpoint that it needs last.
var calls = []struct {
	name     string
	endpoint devprovider.Endpoint
	call     func(context.Context, *rig) error
}{
	{"discovery", devprovider.Discovery, func(ctx context.Context, r *rig) error {
		_, err := r.p.Metadata(ctx)
		return err
	}},
	{"keys", devprovider.KeySet, func(ctx context.Context, r *rig) error {
		u, _ := provider.Peek(r.sign(r.Key(), nil, nil))
		_, err := r.p.VerifyJWT(ctx, u)
		return err
	}},
	{"token endpoint", devprovider.Token, func(ctx context.Context, r *rig) error {
		_, err := r.p.Exchange(ctx, canaryCode, canaryVerifier)
		return err
	}},
	{"userinfo", devprovider.UserInfo, func(ctx context.Context, r *rig) error {
		_, err := r.p.UserInfo(ctx, canaryToken)
		return err
	}},
	{"introspection", devprovider.Introspection, func(ctx context.Context, r *rig) error {
		_, err := r.p.Introspect(ctx, r.p.Client, canaryToken)
		return err
	}},
	{"token information", devprovider.TokenInfo, func(ctx context.Context, r *rig) error {
		_, err := r.p.TokenInfo(ctx, canaryToken)
		return err
	}},
}

const (
	canaryToken    = "canary-token-1f9a"
	canaryCode     = "canary-code-7d31"
	canaryVerifier = "canary-verifier-000000000000000000000000000000000000"
	canaryBody     = "canary-body-55c2"
)

// wantNoCanary checks that an error tells nothing that the provider or we sent.
func wantNoCanary(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"canary", webSecret, "s3cret", "Basic ", "Bearer "} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error contains %q: %v", secret, err)
		}
	}
}

// TestBadRepliesAreOutagesAndNeverQuoted: whatever a broken or hostile provider
// answers, at every endpoint, is "cannot know now"; and the error, which goes to
// the log, has neither the reply in it nor what was sent.
func TestBadRepliesAreOutagesAndNeverQuoted(t *testing.T) {
	echo := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Canary", canaryBody)
			w.Header().Set("WWW-Authenticate", `Bearer error="`+canaryBody+`"`)
			sent := r.Header.Get("Authorization") + r.Form.Encode()
			devprovider.Answer(status, contentType, strings.ReplaceAll(body, "ECHO", canaryBody+sent))(w, r)
		}
	}
	const jsonType, html = "application/json", "text/html"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		not    []string // endpoints for which this is an answer
	}{
		{"500 with a page", echo(500, html, "<p>ECHO</p>"), nil},
		{"503 with JSON", echo(503, jsonType, `{"error":"ECHO","error_description":"ECHO"}`), nil},
		{"429", echo(429, jsonType, `{"error":"ECHO"}`), nil},
		{"404", echo(404, html, "ECHO"), []string{"introspection"}},
		{"418 with JSON", echo(418, jsonType, `{"error":"ECHO"}`), []string{"introspection"}},
		{"200 with a page", echo(200, html, "<html>ECHO</html>"), nil},
		{"200 with a page called JSON", echo(200, jsonType, "<html>ECHO</html>"), nil},
		{"an empty 200", echo(200, jsonType, ""), nil},
		{"204", echo(204, jsonType, ""), nil},
		{"a list", echo(200, jsonType, `["ECHO"]`), nil},
		{"null", echo(200, jsonType, `null`), nil},
		{"a string", echo(200, jsonType, `"ECHO"`), nil},
		{"two objects", echo(200, jsonType, `{"sub":"1","ECHO":1}{}`), nil},
		{"a truncated object", echo(200, jsonType, `{"sub":"ECHO`), nil},
		{"a member twice", echo(200, jsonType, `{"canary":1,"canary":2}`), nil},
		{"invalid UTF-8", echo(200, jsonType, "{\"sub\":\"\xff ECHO\"}"), nil},
		{"nested without end", echo(200, jsonType, strings.Repeat(`{"canary":`, 100)+"1"+strings.Repeat("}", 100)), nil},
		{"three megabytes", devprovider.Oversized(3 << 20), nil},
		{"no answer", devprovider.Drop, nil},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(conn, canaryBody+" "+r.Header.Get("Authorization")+"\r\n\r\n")
				conn.Close()
			}
		}, nil},
		{"a bad header", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+canaryBody+"\r\n\r\n")
				conn.Close()
			}
		}, nil},
		{"a redirect with a bad Location", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://canary\x7f/%zz")
			w.WriteHeader(302)
		}, nil},
		{"a body that ends too early", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Type", jsonType)
			io.WriteString(w, `{"sub":"`+canaryBody)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, to := range calls {
				t.Run(to.name, func(t *testing.T) {
					r := start(t)
					r.Override(to.endpoint, c.answer)
					err := to.call(t.Context(), r)
					if err == nil {
						t.Fatal("no error")
					}
					wantNoCanary(t, err)
					for _, name := range c.not {
						if name == to.name {
							return
						}
					}
					wantUnavailable(t, err)
				})
			}
		})
	}
}

// TestRefusalsAreNeverQuoted is the same for replies that are answers: a refused
// token, refused credentials, a refused code.
func TestRefusalsAreNeverQuoted(t *testing.T) {
	for _, status := range []int{400, 401, 403} {
		for _, body := range []string{
			`{"error":"canary-body","error_description":"canary"}`,
			`{"error":"canary body <script>"}`,
			`{"error":"` + strings.Repeat("canary", 20) + `"}`,
			`{"error":"invalid_grant","error_description":"canary","error_uri":"canary"}`,
			`canary`,
		} {
			for _, to := range calls[2:] {
				r := start(t)
				r.Override(to.endpoint, devprovider.Answer(status, "application/json", body))
				err := to.call(t.Context(), r)
				if err == nil {
					t.Fatalf("%s, %d %s: no error", to.name, status, body)
				}
				// An error code is a word, and a word may be shown.
				if strings.HasPrefix(body, `{"error":"canary-body"`) {
					err = errors.New(strings.ReplaceAll(err.Error(), `"canary-body"`, ""))
				}
				wantNoCanary(t, err)
			}
		}
	}
}

// TestRedirectsAreNeverFollowed: an endpoint that leads elsewhere must not get the
// code, the secret or the token sent there (CVE-2023-45289 and its like).
func TestRedirectsAreNeverFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range calls {
			t.Run(to.name, func(t *testing.T) {
				var hits atomic.Int64
				elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) { hits.Add(1) })
				r := start(t)
				r.Override(to.endpoint, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", elsewhere.URL+"/x")
					w.WriteHeader(status)
				})
				err := to.call(t.Context(), r)
				wantUnavailable(t, err)
				wantNoCanary(t, err)
				if n := hits.Load(); n != 0 {
					t.Errorf("%d: the other server was called %d times", status, n)
				}
				r.wantCalls(t, to.endpoint, 1)
			})
		}
	}
}

// TestEveryCallHasADeadline: a provider that accepts and never answers is given up
// after ten seconds, whoever asks and however patient.
func TestEveryCallHasADeadline(t *testing.T) {
	for _, to := range calls {
		t.Run(to.name, func(t *testing.T) {
			r := start(t)
			md, err := r.p.Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				hang := &rig{Server: r.Server, clock: &clock{now: time.Now()}}
				hang.p = provider.New(provider.Config{
					ID: "dev", Issuer: r.Issuer(), Client: provider.Client{ID: "web", Secret: webSecret},
					Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
						if to.endpoint != devprovider.Discovery && strings.HasSuffix(req.URL.Path, "openid-configuration") {
							return answerJSON(map[string]any{
								"issuer": r.Issuer(), "authorization_endpoint": md.AuthorizationEndpoint,
								"token_endpoint": md.TokenEndpoint, "jwks_uri": md.JWKSURI,
								"userinfo_endpoint": md.UserInfoEndpoint, "introspection_endpoint": md.IntrospectionEndpoint,
							})(req)
						}
						<-req.Context().Done()
						return nil, req.Context().Err()
					}),
				})
				defer hang.p.Close()
				began := time.Now()
				err := to.call(context.Background(), hang)
				wantUnavailable(t, err)
				wantNoCanary(t, err)
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("given up after %v, want 10s", took)
				}
			})
		})
	}
}

// TestEndlessReplyIsGivenUp: no Content-Length, no end; the reply is bounded for
// everybody who reads it, x/oauth2 included.
func TestEndlessReplyIsGivenUp(t *testing.T) {
	for _, to := range calls {
		t.Run(to.name, func(t *testing.T) {
			r := start(t)
			gone := make(chan struct{})
			r.Override(to.endpoint, func(w http.ResponseWriter, _ *http.Request) {
				defer close(gone)
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"x":"`)
				for {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			})
			wantUnavailable(t, to.call(t.Context(), r))
			<-gone // the connection was closed, not read to its end
		})
	}
}

// TestCompressedReplyIsBoundedUncompressed: a small gzip of a large nothing.
func TestCompressedReplyIsBoundedUncompressed(t *testing.T) {
	r := start(t)
	r.Override(devprovider.UserInfo, func(w http.ResponseWriter, req *http.Request) {
		if !strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the request does not accept gzip: this test tests nothing")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		writeBomb(w, 64<<20)
	})
	_, err := r.p.UserInfo(t.Context(), "x")
	if u := wantUnavailable(t, err); !strings.Contains(u.Cause.Error(), "larger than") {
		t.Errorf("got %v, want the bound", u.Cause)
	}
}

// TestProviderMustProveWhoItIs: a certificate by nobody we know.
func TestProviderMustProveWhoItIs(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		devprovider.Answer(200, "application/json", `{"issuer":"`+s.URL+`","authorization_endpoint":"`+s.URL+
			`/a","token_endpoint":"`+s.URL+`/t","jwks_uri":"`+s.URL+`/k"}`)(w, r)
	})
	s.Config.ErrorLog = quietLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := speakWith(t, s.URL, newClock()).Metadata(t.Context())
	if u := wantUnavailable(t, err); !strings.Contains(u.Cause.Error(), "certificate is not trusted") {
		t.Errorf("got %v, want the certificate refused", u.Cause)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := speakWith(t, s.URL, newClock(), func(c *provider.Config) { c.Roots = roots }).Metadata(t.Context()); err != nil {
		t.Errorf("with its authority configured: %v", err)
	}
}

// TestRetryAfterIsBelievedWithinBounds: a provider under maintenance may ask for
// patience, not for a day of it.
func TestRetryAfterIsBelievedWithinBounds(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "86400": time.Minute, "": 0, "-5": 0, "1h": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0, "1e3": 0,
	} {
		r := start(t)
		r.Override(devprovider.UserInfo, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		_, err := r.p.UserInfo(t.Context(), "x")
		if u := wantUnavailable(t, err); u.RetryAfter != want {
			t.Errorf("Retry-After %q: got %v, want %v", header, u.RetryAfter, want)
		}
	}
}

func TestProviderThatIsAwayIsAnOutage(t *testing.T) {
	r := start(t)
	if _, err := r.p.Metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Server.Close()
	for _, to := range calls[1:] {
		err := to.call(t.Context(), r)
		wantUnavailable(t, err)
		wantNoCanary(t, err)
	}
}

// TestClosedProviderAsksNobody: work that goes on beside requests ends with Close.
func TestClosedProviderAsksNobody(t *testing.T) {
	r := start(t)
	hold := r.Hang(devprovider.Discovery)
	failed := make(chan error)
	go func() {
		_, err := r.p.Metadata(context.Background())
		failed <- err
	}()
	<-hold.Arrived()
	r.p.Close()
	wantUnavailable(t, <-failed)
}
