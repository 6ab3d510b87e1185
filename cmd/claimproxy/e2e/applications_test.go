package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The tests here are about applications that people put behind a proxy, and that go by
// websocket.

// startApplication starts a program that listens on a port of its own, and waits until it
// answers at a path.
func startApplication(t *testing.T, name, dir string, argv func(port string) []string, path string) (url string) {
	t.Helper()
	addr := loopback(freePort(t))
	url = "http://" + addr
	p, err := startProcess(name, dir, []string{"HOME=" + dir, "LC_ALL=C.UTF-8"}, argv(mustParse(t, url).Port())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	if err := p.ready(url + path); err != nil {
		t.Fatal(err)
	}
	return url
}

// TestAShellOverAWebsocket is a shell behind websocketd: each line that is sent is a command.
func TestAShellOverAWebsocket(t *testing.T) {
	t.Parallel()
	need(t, websocketd)
	s := setups[0].site(t)
	s.Recorder = startApplication(t, "websocketd", t.TempDir(), func(port string) []string {
		return []string{"websocketd", "--address=127.0.0.1", "--port=" + port, "sh"}
	}, "/")
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"])
	cookie := s.cookieHeaders(b)

	shell := s.socket(append(cookie, "X-Forwarded-User: root", "X_Forwarded_User: root")...)
	typed(t, shell, "echo $((6 * 7)) for $HTTP_X_FORWARDED_USER", "42 for alice")
	// What is typed and what comes back may be longer than any buffer.
	long := strings.Repeat("x", 60000)
	typed(t, shell, "echo "+long, long)

	// A page of somebody else's, opened by her, has no shell.
	evil := append([]string{}, cookie[0], "Origin: https://evil.example")
	if status := s.refusedSocket(evil...); status != http.StatusForbidden {
		t.Errorf("a page of another site: got %d, want 403", status)
	}
	if status := s.refusedSocket("Origin: " + s.url); status != http.StatusUnauthorized {
		t.Errorf("nobody: got %d, want 401", status)
	}

	// It ends with her session, whatever the command under way does.
	write(t, shell, "echo $$; sleep 60")
	pid := read(t, shell)
	if _, err := os.Stat(filepath.Join("/proc", pid)); err != nil {
		t.Fatalf("the shell has the number %q: %v", pid, err)
	}
	b.button(b.visit(s.url+"/.auth/sign-out"), "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
	wantPolicyViolation(t, shell, time.Second)
	eventually(t, soon, "the application has ended the shell", func() bool {
		state, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		return err != nil || strings.Contains(string(state), ") Z ")
	})
}

func write(t testing.TB, conn *websocket.Conn, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte(line)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, conn *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn.SetReadLimit(1 << 20)
	_, message, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

func typed(t testing.TB, conn *websocket.Conn, line, want string) {
	t.Helper()
	write(t, conn, line)
	if got := read(t, conn); got != want {
		t.Errorf("%s: got %s, want %s", clip(line), clip(got), clip(want))
	}
}

// refusedSocket asks for a websocket, and says with which status it was refused.
func (s *site) refusedSocket(headers ...string) int {
	s.t.Helper()
	return get(s.t, s.url+"/recorder/echo", append(headers, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")...).status
}

// TestANotebookOverWebsockets: Jupyter computes for whoever may, by its API, the websocket of
// its kernel, and that of its terminal. It has no password of its own.
func TestANotebookOverWebsockets(t *testing.T) {
	t.Parallel()
	need(t, jupyter)
	s := setups[0].site(t)
	dir := t.TempDir()
	s.Prometheus = startApplication(t, "Jupyter", dir, func(port string) []string {
		return []string{"jupyter-notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=" + port, "--port-retries=0", "--notebook-dir=" + dir, "--NotebookApp.token=", "--NotebookApp.password="}
	}, "/api")
	s.start()
	b := s.browser()
	if a := b.signIn(s.url+"/tree", s.idp, people()["alice"]); a.status != http.StatusOK || !strings.Contains(a.body, "<title>Home Page - Select or create a notebook</title>") {
		t.Fatalf("got %d\n%s", a.status, clip(a.body))
	}
	if a := s.browser().signIn(s.url+"/tree", s.idp, people()["bob"]); a.status != http.StatusForbidden {
		t.Errorf("bob: got %d, want 403", a.status)
	}

	var kernel struct{ ID string }
	s.jupyterMakes(b, "/api/kernels").decode(t, &kernel)
	conn := s.socketAt("/api/kernels/"+kernel.ID+"/channels", s.cookieHeaders(b)...)
	write(t, conn, `{"channel": "shell", "header": {"msg_id": "1", "session": "1", "username": "", "msg_type": "execute_request", "version": "5.3"},
		"parent_header": {}, "metadata": {}, "content": {"code": "print(6 * 7)", "silent": false, "store_history": false, "user_expressions": {}, "allow_stdin": false}}`)
	for {
		var message struct {
			Type    string `json:"msg_type"`
			Content struct{ Text string }
		}
		if err := json.Unmarshal([]byte(read(t, conn)), &message); err != nil {
			t.Fatal(err)
		}
		if message.Type == "stream" {
			if message.Content.Text != "42\n" {
				t.Errorf("got %q, want 42", message.Content.Text)
			}
			break
		}
	}

	var terminal struct{ Name string }
	s.jupyterMakes(b, "/api/terminals").decode(t, &terminal)
	screen := s.socketAt("/terminals/websocket/"+terminal.Name, s.cookieHeaders(b)...)
	write(t, screen, `["stdin", "echo $((6 * 7))\r"]`)
	for shown := ""; !strings.Contains(shown, "42\r\n"); {
		var message []any
		if err := json.Unmarshal([]byte(read(t, screen)), &message); err != nil || message[0] == "disconnect" {
			t.Fatalf("the terminal sent %v, %v, after %q", message, err, shown)
		}
		if message[0] == "stdout" {
			shown += message[1].(string)
		}
	}
	b.button(b.visit(s.url+"/.auth/sign-out"), "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
	// What was on its way may come before that.
	for _, open := range []*websocket.Conn{conn, screen} {
		err := error(nil)
		for err == nil {
			_, _, err = open.Read(t.Context())
		}
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("the websocket ended with %v, want %v", err, websocket.StatusPolicyViolation)
		}
	}
}

// jupyterMakes has Jupyter make something, as a page of its own does.
func (s *site) jupyterMakes(b *browser, path string) *answer {
	s.t.Helper()
	for _, c := range b.cookies(s.url) {
		if c.Name == "_xsrf" {
			if a := b.fetch(http.MethodPost, s.url+path, "X-XSRFToken: "+c.Value, "Origin: "+s.url); a.status == http.StatusOK || a.status == http.StatusCreated {
				return a
			} else {
				s.t.Fatalf("%s: got %d\n%s", path, a.status, clip(a.body))
			}
		}
	}
	s.t.Fatal("Jupyter's own cookie has not come through")
	return nil
}
