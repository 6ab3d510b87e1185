package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestReloadsUnderLoadFailNoRequestAndMisjudgeNone: a configuration a second, every other
// one broken, under five thousand requests a second, or what the machine gives, each of
// which has one right answer whichever configuration is at work. What must be made anew
// changes: the session store, the provider, the upstream, the routes, secrets and
// certificates; a second provider comes and goes. A stream goes on through all of it, and
// ends with the right that it was opened by.
//
// It does not run beside other tests, which it would starve.
func TestReloadsUnderLoadFailNoRequestAndMisjudgeNone(t *testing.T) {
	c := newChanging(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			io.WriteString(w, r.Header.Get("X-Forwarded-User"))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: x\n\n")
			http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}))
	defer app.Close()
	c.Recorder = app.URL
	c.config = strings.Replace(c.config, "public_url: http:", "public_url: https:", 1) + "tls: {cert: {{.Dir}}/cert.pem, key: {{.Dir}}/key.pem}\n"
	c.config = strings.Replace(c.config, "{id: invent, ", `{id: invent, user_prefix: "", `, 1)
	c.url = strings.Replace(c.url, "http:", "https:", 1)
	c.provider.SetClient(devprovider.Client{
		ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{c.url + "/.auth/callback/invent"}, JWT: true, Audience: []string{"proxy-web"},
	})
	trust, pairs := x509.NewCertPool(), [][2][]byte{}
	for range 2 {
		c.certificate("localhost")
		var pair [2][]byte
		for i, name := range []string{"cert.pem", "key.pem"} {
			var err error
			if pair[i], err = os.ReadFile(filepath.Join(c.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		trust.AppendCertsFromPEM(pair[0])
		pairs = append(pairs, pair)
	}
	c.start()

	browser := c.browser()
	browser.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trust}
	c.provider.SignInAs("ada")
	a := browser.visit(c.url + "/developers/")
	for range 12 {
		if a.location() != nil {
			a = browser.follow(a)
		}
	}
	a.wantStatus(t, http.StatusOK)
	cookie := "Cookie: __Host-claimproxy=" + c.sessionCookie(browser).Value + "\r\n"
	ada, bob := "Authorization: Bearer "+c.ada+"\r\n", "Authorization: Bearer "+c.bob+"\r\n"
	v := &volley{
		addr: c.Listen, host: strings.TrimPrefix(c.url, "https://"), tls: &tls.Config{RootCAs: trust, ServerName: "localhost"},
		rate: 5000, conns: 64, each: 500,
		questions: []question{
			{"/public/x", "", http.StatusOK, ""},
			{"/closed/x", "", http.StatusForbidden, ""},
			{"/developers/x", "", http.StatusUnauthorized, ""},
			{"/developers/x", ada, http.StatusOK, "ada"},
			{"/developers/x", cookie, http.StatusOK, "ada"},
			{"/developers/x", bob, http.StatusForbidden, ""},
			{"/developers/x", ada + "Accept: text/html\r\n", http.StatusOK, "ada"},
			{"/developers/x", cookie + ada, http.StatusOK, "ada"},
			{"/nowhere", "", http.StatusNotFound, ""},
		},
	}
	stream, err := tls.Dial("tcp", c.Listen, v.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	fmt.Fprintf(stream, "GET /developers/events HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", v.host, cookie)
	events, err := http.ReadResponse(bufio.NewReader(stream), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	ended := make(chan time.Time, 1)
	go func() {
		io.Copy(io.Discard, events.Body)
		ended <- time.Now()
	}()

	end := make(chan struct{})
	var flying sync.WaitGroup
	flying.Go(func() { v.fly(end) })
	reloads := c.keepChanging(t, pairs, v)
	close(end)
	flying.Wait()
	for i, what := range v.wrong {
		if i == 10 {
			break
		}
		t.Error(what)
	}
	near := func(at time.Duration) bool {
		for _, r := range reloads {
			if at > r-300*time.Millisecond && at < r+100*time.Millisecond {
				return true
			}
		}
		return false
	}
	t.Logf("%d requests, %d a second, %d wrong; around reloads %s; otherwise %s", v.sent.Load(), v.perSecond(), len(v.wrong),
		v.quantiles(near), v.quantiles(func(at time.Duration) bool { return !near(at) }))
	if v.sent.Load() < 1000 {
		t.Error("next to nothing was sent")
	}
	if n := c.provider.Calls(devprovider.KeySet); n > 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
	select {
	case <-ended:
		t.Error("the stream did not live through configurations that let its caller in")
	default:
	}
	c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", c.replaced("contains teams/kde-developers", "contains teams/none")) })
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on without the right that it was opened by")
	}
}

// keepChanging puts a configuration in place each second, and returns when those that are
// good were at work.
func (c *changing) keepChanging(t *testing.T, pairs [][2][]byte, v *volley) (reloads []time.Duration) {
	t.Helper()
	good := c.filledIn()
	changes := []string{"session: {idle: 2h}", "", "session: {lifetime: 3d}", "admin: {}", ""}
	broken := []string{"routes: [", "polices: {}", "tests: [{request: GET /developers/, expect: allow}]", "session: {idle: soon}", "policies: {a: groups contain b}"}
	for i := range 10 {
		second := time.After(time.Second)
		if i%2 == 1 {
			c.within(t, notLoaded, func() { c.put("claimproxy.yaml", good+broken[i/2]+"\n") })
			<-second
			continue
		}
		text := strings.Replace(good, "client_id: proxy-web,", fmt.Sprintf("client_id: proxy-web, name: Invent %d,", i), 1)
		text = strings.Replace(text, "upstreams:\n", fmt.Sprintf("upstreams:\n  spare: {url: \"http://127.0.0.1:9\", timeout: %ds}\n", i+1), 1)
		text = strings.Replace(text, `recorder: {url: `, fmt.Sprintf("recorder: {timeout: %ds, url: ", 30+i), 1)
		if i%4 == 0 {
			text = strings.Replace(text, "policies:\n", "  - {id: spare, issuer: \"http://127.0.0.1:9\", client_id: spare, user_prefix: \"\"}\npolicies:\n", 1)
			text = strings.Replace(text, "developers: groups", "developers: provider is invent and groups", 1)
		}
		c.put("client-secret", fmt.Sprint("proxy-web-secret", strings.Repeat("\n", i/2))) // another file, the same secret
		for n, name := range []string{"cert.pem", "key.pem"} {
			c.put(name, string(pairs[i/2%2][n]))
		}
		c.within(t, loadedAgain, func() { c.put("claimproxy.yaml", text+changes[i/2]+"\n") })
		reloads = append(reloads, time.Since(v.began))
		<-second
	}
	c.put("claimproxy.yaml", good)
	return reloads
}
