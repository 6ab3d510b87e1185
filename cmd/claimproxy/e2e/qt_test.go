package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
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
		printed := signInFor(t, s, program, s.url+"/recorder/data")
		for _, want := range []string{"before: 401\n", "after: 200 {", "refreshed: 200 {", "another token: yes\n", `"alice"`} {
			if !strings.Contains(printed, want) {
				t.Errorf("it did not print %q:\n%s", want, printed)
			}
		}
	})
}
