package signin

import (
	"bytes"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func (w *world) git(operation, attributes string) string {
	w.t.Helper()
	var out bytes.Buffer
	if err := w.agent.GitCredential(w.t.Context(), operation, strings.NewReader(attributes), &out); err != nil {
		w.t.Errorf("%s %q: %v", operation, attributes, err)
	}
	return out.String()
}

func TestGitIsGivenTheTokenAsThePassword(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	token := w.mustToken(w.agent).AccessToken
	here := "protocol=http\nhost=" + strings.TrimPrefix(w.app.url, "http://") + "\n"
	got := w.git("get", "capability[]=authtype\nwwwauth[]=Basic realm=x\n"+here+"\n")
	if !strings.HasPrefix(got, "username=invent\npassword="+token+"\npassword_expiry_utc=1") {
		t.Errorf("got %q", got)
	}
	// What git keeps by itself, and operations of later days, change nothing.
	if got := w.git("store", here+"username=invent\npassword="+token+"\n\n") + w.git("capability", "") + w.git("erase", here+"password=another\n\n"); got != "" {
		t.Errorf("got %q", got)
	}
	if w.git("get", here) == "" || w.idp.Calls(devprovider.Token) != 1 {
		t.Error("the token was renewed without need")
	}
	// A token that was refused is not offered again.
	w.git("erase", here+"username=invent\npassword="+token+"\n\n")
	if got := w.git("get", here); got == "" || strings.Contains(got, token) {
		t.Errorf("got %q", got)
	}
}

// TestGitIsGivenNothingForOthers: another origin, a host that only looks alike, a connection
// that everybody can read.
func TestGitIsGivenNothingForOthers(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	host := strings.TrimPrefix(w.app.url, "http://")
	for _, attributes := range []string{
		"protocol=https\nhost=" + host + "\n", "protocol=http\nhost=" + host + "1\n", "protocol=http\nhost=evil.example\n", "protocol=http\nhost=evil@" + host + "\n",
		"protocol=http\nhost=127.0.0.1\n", "protocol=ssh\nhost=" + host + "\n", "host=" + host + "\n", "protocol=http\n", "", "protocol=http\nhost=" + host + ".evil.example\n",
		"protocol=http\nhost=" + host + "#@evil.example\n", "protocol=http\nhost=" + host + "/@evil.example\n", "protocol=http\nhost=" + host + "?@evil.example\n", "protocol=file\npath=/x\n",
	} {
		if got := w.git("get", attributes); got != "" {
			t.Errorf("%q: got %q", attributes, got)
		}
	}
	for _, broken := range []string{"protocol\n", "protocol=http\nhost=a\x00b\n"} {
		if err := w.agent.GitCredential(t.Context(), "get", strings.NewReader(broken), new(bytes.Buffer)); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}
