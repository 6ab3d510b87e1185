package session_test

import (
	"bufio"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// childDir is the environment variable that makes this test program a process
// that is to be killed: it names the state directory.
const childDir = "CLAIMPROXY_SESSION_TEST_CHILD"

// signInAndOutForever signs people in and out and renews their tokens, several at once,
// and writes a line for each that was confirmed.
func signInAndOutForever(dir string) {
	fail := func(err error) {
		fmt.Println("fail", err)
		os.Exit(1)
	}
	f, err := session.OpenFile(session.FileOptions{Dir: dir})
	if err != nil {
		fail(err)
	}
	sealer, err := session.NewSealer([][]byte{[]byte("the secret of the state directory")})
	if err != nil {
		fail(err)
	}
	s, err := session.NewStore(session.StoreOptions{Backend: f, Sealer: sealer, CookieName: "claimproxy", Secure: true, Idle: 1e12, Lifetime: 1e13})
	if err != nil {
		fail(err)
	}
	for worker := range 4 {
		go func() {
			for n := 0; ; n++ {
				w := httptest.NewRecorder()
				if err := s.Start(w, requestWith(""), storetest.Person("jane")); err != nil {
					fail(err)
				}
				cookie := w.Result().Cookies()[0].Value
				fmt.Println("in", cookie)
				// What was asked for and not confirmed may have happened.
				switch n % 3 {
				case worker % 3:
					fmt.Println("renewing", cookie)
					r := requestWith(cookie)
					rec, err := s.Record(r)
					if err != nil {
						fail(err)
					}
					rec.RefreshToken = rotated
					if err := s.Update(r, rec); err != nil {
						fail(err)
					}
					fmt.Println("renewed", cookie)
				case (worker + 1) % 3:
					fmt.Println("leaving", cookie)
					if err := s.End(httptest.NewRecorder(), requestWith(cookie)); err != nil {
						fail(err)
					}
					fmt.Println("out", cookie)
				}
			}
		}()
	}
	select {}
}

// rotated is the refresh token of sessions that were renewed. Where it is lost, the
// provider has a token that nobody has, and the person is signed out.
const rotated = "rotated refresh token"

// Nothing that was confirmed is lost when the process is killed in the middle of logins
// and refreshes: who was signed in is, with the last tokens, and who had signed out is
// out. In CI that is done a hundred times.
func TestFileSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	all := make(map[string]string)
	rounds := 3
	if os.Getenv("CI") != "" {
		rounds = 100
	}
	for round := range rounds {
		state := make(map[string]string)
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // killed; the last line may be half a one
			}
			word, cookie, ok := strings.Cut(strings.TrimSpace(line), " ")
			if !ok || word == "fail" {
				t.Fatalf("the child says %q", line)
			}
			state[cookie] = word
			if n == 100 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()

		f := openFile(t, dir)
		s := openStore(t, f, func(o *session.StoreOptions) { o.Idle, o.Lifetime = 1e12, 1e13 })
		maps.Copy(all, state)
		if round == rounds-1 {
			state = all // that of earlier rounds too
		}
		in, renewed, gone := 0, 0, 0
		for cookie, word := range state {
			switch word {
			case "in":
				wantPerson(t, s, cookie, "jane")
				in++
			case "renewing":
				wantPerson(t, s, cookie, "jane")
			case "renewed":
				wantPerson(t, s, cookie, "jane")
				if rec, err := s.Record(requestWith(cookie)); err != nil || rec.RefreshToken != rotated {
					t.Errorf("round %d: a renewed session has lost its tokens: %v", round, err)
				}
				renewed++
			case "out":
				wantEnded(t, s, cookie)
				gone++
			}
		}
		if in < 10 || renewed < 5 || gone < 5 {
			t.Errorf("round %d proves little: %d signed in, %d renewed, %d signed out", round, in, renewed, gone)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
