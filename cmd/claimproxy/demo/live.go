package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// maxEcho bounds a message of the echo box, in bytes.
const maxEcho = 4 << 10

// serveEvents streams the live numbers as server-sent events: at once, then at
// every tick and after every submitted report.
func (a *Application) serveEvents(w http.ResponseWriter, r *http.Request) {
	changed, stop := a.data.listen()
	defer stop()
	tick := time.NewTicker(a.tick)
	defer tick.Stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	submitted := -1
	for {
		n := a.data.numbers()
		name := "numbers"
		if submitted >= 0 && n.Submitted != submitted {
			name = "report"
		}
		submitted = n.Submitted
		data, err := json.Marshal(n)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// serveEcho is a websocket that sends every text message back. Only pages of the
// host that it is asked under may open it.
func (a *Application) serveEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxEcho)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return // closed, too large, or the application ends
		}
		if kind != websocket.MessageText {
			c.Close(websocket.StatusUnsupportedData, "text only")
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
