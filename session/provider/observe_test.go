package provider_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// tally notes what an Observer is told.
type tally struct {
	mu   sync.Mutex
	said []string
}

func (t *tally) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, text)
}

func (t *tally) Called(endpoint, result string, took time.Duration) {
	t.note(fmt.Sprint(endpoint, " ", result, " ", took))
}
func (t *tally) KeysFetched(ok bool) { t.note(fmt.Sprint("keys ", ok)) }

// take returns what was noted since it was called last, sorted.
func (t *tally) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.said = nil }()
	slices.Sort(t.said)
	return strings.Join(t.said, "; ")
}

// TestCallsAreTold, by the kind of endpoint and by what came of them.
func TestCallsAreTold(t *testing.T) {
	var told tally
	r := start(t, func(c *provider.Config) { c.Observer = &told })
	tokens := r.Issue("ada", "web", "openid")
	client := provider.Client{ID: "web", Secret: webSecret}
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"the first call discovers", func() error { _, err := r.p.UserInfo(t.Context(), tokens.AccessToken); return err }, "discovery ok 0s; userinfo ok 0s"},
		{"a token that nobody has", func() error { _, err := r.p.UserInfo(t.Context(), "none"); return err }, "userinfo refused 0s"},
		{"introspection", func() error { _, err := r.p.Introspect(t.Context(), client, tokens.AccessToken); return err }, "introspection ok 0s"},
		{"token information", func() error { _, err := r.p.TokenInfo(t.Context(), tokens.AccessToken); return err }, "token_info ok 0s"},
		{"a refresh", func() error { _, err := r.p.Refresh(t.Context(), tokens.RefreshToken); return err }, "token ok 0s"},
		{"a code that nobody has", func() error { _, err := r.p.Exchange(t.Context(), "none", "none"); return err }, "token refused 0s"},
		{"keys", func() error { _, err := r.p.KeyCount(t.Context()); return err }, "jwks ok 0s; keys true"},
		{"an outage", func() error {
			r.Override(devprovider.UserInfo, down)
			_, err := r.p.UserInfo(t.Context(), "none")
			return err
		}, "userinfo failed 0s"},
		{"keys that are none", func() error {
			r.Override(devprovider.KeySet, devprovider.Answer(http.StatusOK, "application/json", `["keys"]`))
			_, err := speakWith(t, r.Issuer(), r.clock, func(c *provider.Config) { c.Observer = &told }).KeyCount(t.Context())
			return err
		}, "discovery ok 0s; jwks ok 0s; keys false"},
		{"nobody there", func() error {
			r.Close()
			_, err := r.p.UserInfo(t.Context(), "none")
			return err
		}, "userinfo unanswered 0s"},
	} {
		err := step.do()
		if got := told.take(); got != step.want {
			t.Errorf("%s: got %q (%v), want %q", step.name, got, err, step.want)
		}
	}
}

// TestHowLongACallTakesIsUntilItsReplyIsWhole, and one that breaks off is no answer.
func TestHowLongACallTakesIsUntilItsReplyIsWhole(t *testing.T) {
	var told tally
	c := newClock()
	body := func(end error) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(`{"iss`), slow{func() { c.Advance(3 * time.Second) }, end}))
	}
	var end error
	p := speakWith(t, "https://idp.example", c, func(conf *provider.Config) {
		conf.Observer = &told
		conf.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body(end), ContentLength: -1, Request: r}, nil
		})
	})
	for _, test := range []struct {
		end  error
		want string
	}{
		{io.EOF, "discovery ok 3s"},
		{io.ErrUnexpectedEOF, "discovery unanswered 3s"},
	} {
		end = test.end
		_, err := p.Metadata(t.Context())
		wantUnavailable(t, err)
		if got := told.take(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		c.Advance(time.Minute)
	}
}

// slow does something before it ends.
type slow struct {
	do  func()
	end error
}

func (s slow) Read([]byte) (int, error) {
	s.do()
	return 0, s.end
}
