package e2e

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// newEnding is a site that has an event stream and a websocket open, and this long for them
// to end.
func newEnding(t *testing.T, atMost string) (*troubled, stream, *websocket.Conn) {
	t.Helper()
	c := newTroubled(t, "")
	c.Recorder, _ = newStreamer(t)
	c.config = strings.Replace(c.config, "/developers/, upstream: recorder", "/recorder/, upstream: recorder", 1)
	c.config = strings.Replace(c.config, "  - {request: GET /developers/, expect: sign-in}\n", "", 1)
	c.config = strings.Replace(c.config, "shutdown_timeout: 5s", "shutdown_timeout: "+atMost, 1)
	c.start()
	ada := "Authorization: Bearer " + c.ada
	events, conn := c.events(ada), c.socket(ada)
	wantEcho(t, conn)
	return c, events, conn
}

// TestWhileItEndsNobodyNewIsServedAndASecondSignalQuits: /readyz says no at once, the
// metrics are answered to the end, and whoever does not want to wait need not.
func TestWhileItEndsNobodyNewIsServedAndASecondSignalQuits(t *testing.T) {
	t.Parallel()
	c, events, _ := newEnding(t, "10m")
	p := c.process
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "it says that it ends", func() bool { ready, _ := c.ready(); return !ready })
	if parts := c.wantReady(false); !strings.Contains(parts["proxy"], "draining") {
		t.Errorf("readyz says of the proxy %q", parts["proxy"])
	}
	eventually(t, patience, "nobody new is served", func() bool {
		resp, err := plainClient.Get(c.url + "/public/")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	if c.metric("claimproxy_build_info") != 1 {
		t.Error("the metrics are not answered")
	}
	got := get(t, "http://"+c.admin+"/healthz")
	got.wantStatus(t, http.StatusOK)
	if !p.running() {
		t.Fatal("it has not waited for the stream")
	}
	c.process = nil // it does not end well
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	events.wantBroken(t, patience)
	code, err := p.wait()
	if err != nil || code == 0 {
		t.Errorf("got exit code %d, %v, want that of a signal", code, err)
	}
}

// TestWhatDoesNotEndInTimeIsCutOff: streams break off, websockets are told, and that is a
// good end.
func TestWhatDoesNotEndInTimeIsCutOff(t *testing.T) {
	t.Parallel()
	c, events, conn := newEnding(t, "1s")
	began := time.Now()
	if err := c.process.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the websocket ended with %v, want %v", err, websocket.StatusGoingAway)
	}
	events.wantBroken(t, patience)
	c.wantLogged("requests were still under way and have been cut off")
	c.ended()
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %v, and had a second", took)
	}
}
