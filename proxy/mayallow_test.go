package proxy

import (
	"errors"
	"net/http"
	"testing"
)

// TestNobodyIsLetInUnseen: with an audit log that cannot be written and must be, who
// would be let in is told to come again, and who would not is refused as ever.
func TestNobodyIsLetInUnseen(t *testing.T) {
	var err error
	reached := 0
	h := application(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }), func(c *Config) { c.MayAllow = func() error { return err } })
	for _, failing := range []bool{false, true, false} {
		err = nil
		want := 200
		if failing {
			err, want = errors.New("no space left on device"), 503
		}
		before := reached
		res := h.get(t, "/")
		if res.StatusCode != want || (reached > before) == failing {
			t.Errorf("failing %v: got %d, and the application was asked %d times", failing, res.StatusCode, reached-before)
		}
		if failing && res.Header.Get("Retry-After") == "" {
			t.Error("nobody is told when to come again")
		}
		event := h.events.next(t)
		if failing && (event.Decision != "deny" || event.Reason != "store-unavailable") {
			t.Errorf("got the event %+v", event)
		}
	}
}
