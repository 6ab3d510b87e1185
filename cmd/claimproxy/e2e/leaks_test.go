package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// leaks collects what nobody may find in a log: tokens, codes, cookies, secrets.
type leaks struct {
	mu      sync.Mutex
	secrets map[string]bool
}

// add remembers secrets. Short texts are left out: they would be found by chance.
func (l *leaks) add(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secrets == nil {
		l.secrets = make(map[string]bool)
	}
	for _, s := range secrets {
		if len(s) >= 8 {
			l.secrets[s] = true
		}
	}
}

// wantNone fails the test for each secret that text contains.
func (l *leaks) wantNone(t testing.TB, where, text string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s contains a secret that begins with %.6s", where, s)
		}
	}
}

// TestAnUnaskedAnswerIsNotLogged: an application that answers with more than it said, or
// twice, leaves bytes on an idle connection, which may be somebody's data. net/http
// prints them to the standard logger, past the program's own; what is carried without it
// closes the connection, and that is all.
func TestAnUnaskedAnswerIsNotLogged(t *testing.T) {
	t.Parallel()
	const private = "somebody-s-private-data"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n%s", private)
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
	}()
	dir, listen := t.TempDir(), loopback(freePort(t))
	file := filepath.Join(dir, "claimproxy.yaml")
	config := fmt.Sprintf("public_url: http://%s\nlisten: %s\nroutes:\n  - {upstream: \"http://%s\", allow: public}\n", listen, listen, l.Addr())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess("claimproxy", dir, nil, binary(t), "serve", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	if err := p.ready("http://" + listen + "/.auth/style.css"); err != nil {
		t.Fatal(err)
	}
	from := strings.LastIndex(p.out.since(0), "\n") + 1
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		send(t, newClient(nil), request(t, method, "http://"+listen+"/", nil)).wantStatus(t, http.StatusOK)
	}
	eventually(t, patience, "the unasked answer is mentioned in the log", func() bool {
		return strings.Contains(p.out.since(from), "Unsolicited response")
	})
	if code, err := p.stop(); code != 0 || err != nil {
		t.Errorf("got exit code %d, %v", code, err)
	}
	for line := range strings.Lines(p.out.since(from)) {
		if !json.Valid([]byte(line)) || strings.Contains(line, private) {
			t.Errorf("got the line %s, want JSON without the answer", line)
		}
	}
}
