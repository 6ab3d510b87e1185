package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tool is something that a test needs on the machine.
type tool struct {
	name    string
	present func() bool
	install string
}

var (
	rubyGems = tool{
		name: "Doorkeeper",
		present: sync.OnceValue(func() bool {
			return onPath("puma") && exec.Command("ruby", "-e",
				"gem 'doorkeeper'; gem 'doorkeeper-openid_connect'; gem 'railties'; gem 'activerecord'; gem 'sqlite3'").Run() == nil
		}),
		install: "apt-get install --no-install-recommends ruby ruby-railties ruby-actionpack ruby-activerecord ruby-doorkeeper ruby-doorkeeper-openid-connect ruby-sqlite3 puma",
	}
	nodeModules = tool{
		name: "oidc-provider",
		present: sync.OnceValue(func() bool {
			_, err := os.Stat(filepath.Join("testdata", "oidc-provider", "node_modules", "oidc-provider", "package.json"))
			return err == nil && node() != ""
		}),
		install: "make deps",
	}
	shellAndCurl = tool{
		name:    "curl",
		present: func() bool { return onPath("sh") && onPath("curl") },
		install: "apt-get install --no-install-recommends curl",
	}
	keyringDaemon = tool{
		name: "gnome-keyring",
		present: func() bool {
			return onPath("gnome-keyring-daemon") && onPath("dbus-run-session") && onPath("dbus-daemon") && onPath("dbus-send")
		},
		install: "apt-get install --no-install-recommends gnome-keyring dbus-bin dbus-daemon",
	}
	qtNetworkAuth = tool{
		name: "Qt Network Authorization",
		present: sync.OnceValue(func() bool {
			return onPath("c++") && onPath("pkg-config") && exec.Command("pkg-config", "--exists", "Qt6NetworkAuth").Run() == nil
		}),
		install: "apt-get install --no-install-recommends qt6-networkauth-dev g++ pkg-config",
	}
	gitProgram = tool{
		name:    "git",
		present: func() bool { return onPath("git") },
		install: "apt-get install --no-install-recommends git",
	}
	python = tool{
		name:    "Python",
		present: func() bool { return onPath("python3") },
		install: "apt-get install --no-install-recommends python3",
	}
	nginx = tool{
		name:    "nginx",
		present: func() bool { return nginxProgram() != "" },
		install: "apt-get install --no-install-recommends nginx-light",
	}
	caddy = tool{
		name:    "Caddy",
		present: func() bool { return onPath("caddy") },
		install: "apt-get install --no-install-recommends caddy",
	}
	haproxy = tool{
		name:    "HAProxy",
		present: func() bool { return haproxyProgram() != "" },
		install: "apt-get install --no-install-recommends haproxy",
	}
	wrk = tool{
		name:    "wrk",
		present: func() bool { return onPath("wrk") },
		install: "apt-get install --no-install-recommends wrk",
	}
	nghttp2 = tool{
		name:    "nghttp2",
		present: func() bool { return onPath("h2load") && onPath("nghttp") },
		install: "apt-get install --no-install-recommends nghttp2-client",
	}
	websocketd = tool{
		name:    "websocketd",
		present: func() bool { return onPath("websocketd") },
		install: "apt-get install --no-install-recommends websocketd",
	}
	jupyter = tool{
		name:    "Jupyter",
		present: func() bool { return onPath("jupyter-notebook") },
		install: "apt-get install --no-install-recommends jupyter-notebook",
	}
	redisServer = tool{
		name:    "Redis",
		present: func() bool { return onPath("redis-server") },
		install: "apt-get install --no-install-recommends redis-server",
	}
	chromium = tool{
		name:    "Chromium",
		present: func() bool { return onPath("chromium") },
		install: "apt-get install --no-install-recommends chromium",
	}
	prometheusServer = tool{
		name:    "Prometheus",
		present: func() bool { return onPath("prometheus") },
		install: "apt-get install --no-install-recommends prometheus",
	}
)

func nginxProgram() string { return sbinProgram("nginx") }

func haproxyProgram() string { return sbinProgram("haproxy") }

// sbinProgram finds a program that Debian keeps where only root looks. Empty means none.
func sbinProgram(name string) string {
	for _, program := range []string{name, "/usr/sbin/" + name} {
		if onPath(program) {
			return program
		}
	}
	return ""
}

// node returns a Node.js that oidc-provider runs on: the system's, or the one that
// "make deps" put into .cache where the system's is too old. Empty means none.
var node = sync.OnceValue(func() string {
	cached, err := filepath.Abs(filepath.Join("..", "..", "..", ".cache", "node_modules", ".bin", "node"))
	if err != nil {
		return ""
	}
	for _, program := range []string{"node", cached} {
		if exec.Command(program, "-e", `process.exit(URL.parse && require("node:crypto").hash ? 0 : 1)`).Run() == nil {
			return program
		}
	}
	return ""
})

// need skips the test where a tool is missing. In CI a missing tool is a fault:
// a suite that skips itself proves nothing.
func need(t testing.TB, tools ...tool) {
	t.Helper()
	for _, tool := range tools {
		if tool.present() {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: %s", tool.name, tool.install)
		}
		t.Skipf("needs %s; to install it: %s", tool.name, tool.install)
	}
}

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// buildEnvironment is the environment of the programs under test: what a shell
// has, without the switches of a test run.
func buildEnvironment(extra ...string) []string {
	env := make([]string, 0, len(os.Environ())+len(extra))
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY":
			continue // everything here is on loopback
		}
		env = append(env, kv)
	}
	return append(env, extra...)
}
