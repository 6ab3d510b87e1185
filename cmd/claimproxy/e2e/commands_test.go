package e2e

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ran is what a command that ended left behind.
type ran struct {
	code           int
	stdout, stderr string
}

// runClaimproxy runs a command to its end.
func runClaimproxy(t testing.TB, dir string, args ...string) ran {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, buildEnvironment(), patience
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Run()
	kill.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("claimproxy %s: %v", strings.Join(args, " "), err)
	}
	return ran{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// unstarted is an installation without a provider, for commands that call nobody.
func unstarted(t testing.TB) *site {
	t.Helper()
	s := &site{
		t: t, dir: t.TempDir(), url: "http://localhost:18080", config: standardConfig,
		Listen: "127.0.0.1:18080", Issuer: "http://127.0.0.1:9", CacheMax: "5m", Session: "{idle: 8h}", Recorder: "http://127.0.0.1:9",
	}
	s.Dir = s.dir
	s.write("client-secret", "proxy-web-secret")
	s.write("native-secret", "native-secret-secret")
	return s
}

func TestCheckPassesAGoodFileAndTellsWhatToRegister(t *testing.T) {
	t.Parallel()
	s := unstarted(t)
	got := runClaimproxy(t, s.dir, "check", "--config", s.writeConfig())
	if got.code != 0 {
		t.Fatalf("got exit code %d, want 0\n%s%s", got.code, got.stdout, got.stderr)
	}
	if all := got.stdout + got.stderr; !strings.Contains(all, "http://localhost:18080/.auth/callback/invent") {
		t.Errorf("the redirect URI to register is not named:\n%s", all)
	}
}

func TestCheckAndServeRefuseABrokenFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, old, new, want string }{
		{"a key that does not exist", "public_url:", "public_urll:", "public_url"},
		{"a condition without operator", "require: groups contains teams/kde-developers", "require: groups teams/kde-developers", "groups teams/kde-developers"},
		{"a policy that does not exist", "allow: signed-in", "allow: singed-in", "singed-in"},
		{"a secret whose file is not there", "{{.Dir}}/client-secret", "{{.Dir}}/no-such-file", "no-such-file"},
		{"a duration that is none", "idle: 8h", "idle: 8 hours", "8 hours"},
		{"no YAML", "routes:", "routes: [", "YAML"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := unstarted(t)
			s.Session = "{idle: 8h}"
			s.config = strings.Replace(strings.Replace(s.config, "{{.Session}}", s.Session, 1), tc.old, tc.new, 1)
			file := s.writeConfig()
			for _, command := range []string{"check", "serve"} {
				got := runClaimproxy(t, s.dir, command, "--config", file)
				if got.code != 78 {
					t.Errorf("%s: got exit code %d, want 78", command, got.code)
				}
				all := got.stdout + got.stderr
				if !strings.Contains(all, tc.want) {
					t.Errorf("%s: the report does not speak of %q:\n%s", command, tc.want, all)
				}
				if !regexp.MustCompile(`claimproxy\.yaml:\d+`).MatchString(all) {
					t.Errorf("%s: the report names no line:\n%s", command, all)
				}
				if strings.Contains(all, "proxy-web-secret") || crash.MatchString(all) {
					t.Errorf("%s: the report has a secret or a stack trace:\n%s", command, all)
				}
			}
		})
	}
}

func TestAFileThatIsNotThereIsABadConfiguration(t *testing.T) {
	t.Parallel()
	got := runClaimproxy(t, t.TempDir(), "serve") // claimproxy.yaml of the working directory
	if got.code != 78 || !strings.Contains(got.stderr, "claimproxy.yaml") {
		t.Errorf("got exit code %d, want 78 and the file named\n%s", got.code, got.stderr)
	}
}

func TestServeSaysWhichAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := unstarted(t)
	s.Listen = taken.Addr().String()
	got := runClaimproxy(t, s.dir, "serve", "--config", s.writeConfig())
	if got.code != 1 || !strings.Contains(got.stderr, s.Listen) {
		t.Errorf("got exit code %d, want 1 and the address named\n%s", got.code, got.stderr)
	}
}

func TestWrongUsageIsExitCodeTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"no-such-command"}, {"serve", "--no-such-flag"}, {"serve", "argument"}} {
		if got := runClaimproxy(t, t.TempDir(), args...); got.code != 2 || got.stderr == "" {
			t.Errorf("%v: got exit code %d, want 2 and a sentence\n%s", args, got.code, got.stderr)
		}
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	t.Parallel()
	got := runClaimproxy(t, t.TempDir(), "version")
	if got.code != 0 || !regexp.MustCompile(`^claimproxy \S+, go1\.\S+ \w+/\w+`).MatchString(got.stdout) {
		t.Errorf("got exit code %d and %q, want the version and the Go version", got.code, got.stdout)
	}
}
