package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSigningOutInAnotherTabEndsWhatAPageHasOpen: the page is told, within a second, and
// the browser does not come back by itself.
func TestSigningOutInAnotherTabEndsWhatAPageHasOpen(t *testing.T) {
	t.Parallel()
	need(t, chromium)
	for _, secure := range []bool{false, true} {
		name := "HTTP/1.1"
		if secure {
			name = "HTTP/2 and TLS"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setups[0].site(t)
			if secure {
				s.overTLS()
			}
			live, _ := newStreamer(t)
			s.Recorder = newApplication(t).url
			s.config = strings.Replace(s.config, "\nroutes:\n", fmt.Sprintf("\nroutes:\n"+
				"  - {path: /recorder/echo, upstream: %[1]q, allow: developers}\n"+
				"  - {path: /recorder/events, upstream: %[1]q, allow: developers}\n", live), 1)
			s.start()
			w := newWindow(t)
			page, other := w.tab(), w.tab()
			page.open(s.url + "/recorder/")
			page.signIn(s.idp, people()["alice"])
			page.arrive(s.url + "/recorder/")
			eval[bool](page, opening)
			page.until(`seen.echo === "alice says hello" && seen.event === "first"`)
			if got := eval[string](page, `JSON.stringify(seen)`); got != `{"echo":"alice says hello","closed":0,"event":"first","errors":0}` {
				t.Fatalf("before signing out the page has seen %s", got)
			}
			if got := eval[string](page, `performance.getEntriesByType("navigation")[0].nextHopProtocol`); (got == "h2") != secure {
				t.Errorf("the page came by %s", got)
			}

			other.open(s.url + "/.auth/sign-out")
			page.expect("a status of 401", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_HTTP2_PROTOCOL_ERROR")
			other.press("Sign out")
			page.within(time.Second, `seen.closed === 1008 && seen.errors > 0`)
			// A stream that breaks off is opened again, and that is refused for good.
			page.until(`events.readyState === EventSource.CLOSED`)
			other.until(`document.body.innerText.includes("You are signed out")`)
		})
	}
}

// opening is a script that opens a websocket and an event stream, and notes what it sees.
const opening = `(() => {
	window.seen = {echo: "", closed: 0, event: "", errors: 0};
	const socket = new WebSocket("/recorder/echo");
	socket.onopen = () => socket.send("hello");
	socket.onmessage = e => seen.echo = e.data;
	socket.onclose = e => seen.closed = e.code;
	window.events = new EventSource("/recorder/events");
	events.onmessage = e => seen.event = e.data;
	events.onerror = () => seen.errors++;
	return true;
})()`
