package demo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/guide.golden anew")

var testAddresses = Addresses{Proxy: "127.0.0.1:8080", Provider: "127.0.0.1:8081", Application: "127.0.0.1:8082"}

func TestGuide(t *testing.T) {
	var got bytes.Buffer
	if err := Guide(&got, testAddresses); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "guide.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got; -update writes it anew):\n%s", diff)
	}
}

// TestGuideFitsATerminal: 100 columns, also with the longest addresses.
func TestGuideFitsATerminal(t *testing.T) {
	var guide bytes.Buffer
	if err := Guide(&guide, Addresses{"127.0.0.1:65535", "127.0.0.1:65535", "127.0.0.1:65535"}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(guide.String()) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 100 || strings.TrimRight(line, " ") != line {
			t.Errorf("%d columns, or blanks at its end: %q", n, line)
		}
	}
}

// TestRunStartsAllPartsAndLeavesNothing runs the demo with a claimproxy of a few
// lines, asks each part, and looks what is left.
func TestRunStartsAllPartsAndLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(target string) (int, string) {
		t.Helper()
		res, err := client.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := Run(ctx, Options{Out: &out, Serve: func(ctx context.Context, file string, l net.Listener, ready func()) error {
		defer l.Close()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(text), "listen: "+l.Addr().String()+"\n") {
			t.Errorf("the configuration does not name the listener %s:\n%s", l.Addr(), text)
		}
		secret, err := os.ReadFile(filepath.Join(filepath.Dir(file), "client_secret"))
		if err != nil || len(secret) < 20 {
			t.Errorf("client secret of %d bytes, %v", len(secret), err)
		}
		ready()
		var issuer, application string
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "issuer: "); ok {
				issuer = value
			}
			if _, value, ok := strings.Cut(line, `telemetry: {url: "`); ok {
				application, _, _ = strings.Cut(value, `"`)
			}
		}
		if status, body := get(issuer + "/.well-known/openid-configuration"); status != 200 || !strings.Contains(body, issuer) {
			t.Errorf("provider: %d %s", status, body)
		}
		if status, body := get(application + "/whoami"); status != 200 {
			t.Errorf("application: %d %s", status, body)
		}
		res, err := client.PostForm(issuer+"/dev/token", url.Values{"person": {"eve"}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if token, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || len(token) != 65 {
			t.Errorf("the provider's token for the asking: %d, %d bytes, %v", res.StatusCode, len(token), err)
		}
		events, err := http.NewRequestWithContext(context.Background(), "GET", application+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := client.Do(events) // stays open until ctx is done
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		cancel()
		// claimproxy drains before it ends: the stream must end by then, not after.
		_, _ = io.Copy(io.Discard, stream.Body)
		return nil
	}})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	if !strings.Contains(out.String(), "WHO MAY DO WHAT") {
		t.Errorf("printed %q, want the guide", out.String())
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunReportsWhatServeSays(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	broken := errors.New("the configuration is broken")
	err := Run(t.Context(), Options{Out: io.Discard, Serve: func(_ context.Context, _ string, l net.Listener, _ func()) error {
		l.Close()
		return broken
	}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	entries, err := os.ReadDir(os.TempDir())
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestTakenPortsAreReplaced(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	l, err := listen(Ports{Proxy: port})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if strings.HasSuffix(l.addresses.Proxy, ":"+strconv.Itoa(port)) || !strings.HasPrefix(l.addresses.Proxy, "127.0.0.1:") {
		t.Errorf("address %s, want another port of 127.0.0.1 than %d", l.addresses.Proxy, port)
	}
}
