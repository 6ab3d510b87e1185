package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// qtTool builds testdata/qt, once in a run.
var qtTool = sync.OnceValues(func() (string, error) {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "Qt6NetworkAuth", "Qt6Network", "Qt6Core").Output()
	if err != nil {
		return "", err
	}
	program := filepath.Join(scratch, "telemetry-tool")
	args := append([]string{"-std=c++17", "-O1", "-fPIC", "-Wall", "-o", program, fixture("qt/main.cpp")}, strings.Fields(string(flags))...)
	if out, err := exec.Command("c++", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the Qt program: %w\n%s", err, out)
	}
	return program, nil
})

// TestAQtProgramSignsIn: Qt's own Network Authorization, as Debian ships it, from nothing but
// the address: the 401, the documents, the code flow with PKCE, a request, a refresh, and a
// request with the new token.
func TestAQtProgramSignsIn(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		need(t, qtNetworkAuth)
		program, err := qtTool()
		if err != nil {
			t.Fatal(err)
		}
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		p, err := startProcess("the Qt program", t.TempDir(), nil, program, s.url+"/recorder/data")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.kill)
		p.showOnFailure(t)
		var open []string
		eventually(t, patience, "it asks for a browser", func() bool {
			if !p.running() {
				t.Fatalf("it has ended:\n%s", p.out.since(0))
			}
			open = regexp.MustCompile(`open: (\S+)\n`).FindStringSubmatch(p.out.since(0))
			return open != nil
		})
		b := newBrowser(t)
		b.follow(b.atProvider(b.visit(open[1]), s.idp, people()["alice"], true)).wantStatus(t, http.StatusOK)
		<-p.ended
		for _, want := range []string{"before: 401\n", "after: 200 {", "refreshed: 200 {", "another token: yes\n", `"alice"`} {
			if !strings.Contains(p.out.since(0), want) {
				t.Errorf("it did not print %q:\n%s", want, p.out.since(0))
			}
		}
	})
}
