package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withKeyring gives a machine a session bus with a keyring daemon on it, as a desktop has.
func (m *terminal) withKeyring() {
	m.t.Helper()
	need(m.t, keyringDaemon)
	// The daemon's directory has to be short: it has a socket in it.
	runtime, err := os.MkdirTemp("", "bus-")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { os.RemoveAll(runtime) })
	m.env = append(m.env, "XDG_RUNTIME_DIR="+runtime, "XDG_DATA_HOME="+filepath.Join(m.home, "data"))
	script := `printf '%s' "a password" | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
echo "$DBUS_SESSION_BUS_ADDRESS" > bus.new && mv bus.new bus
wait`
	p, err := startProcess("a session bus with a keyring", m.home, m.env, "dbus-run-session", "--", "sh", "-c", script)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(p.kill)
	p.showOnFailure(m.t)
	eventually(m.t, patience, "there is a session bus", func() bool {
		address, err := os.ReadFile(filepath.Join(m.home, "bus"))
		if err == nil {
			m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS="+strings.TrimSpace(string(address)))
		}
		return err == nil
	})
	// Whoever asks the keyring before it is there has the bus start another one, which has no
	// password and keeps the name.
	eventually(m.t, patience, "the keyring is there", func() bool {
		got := m.try("", "dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus",
			"org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")
		return strings.Contains(got.stdout, "boolean true")
	})
	eventually(m.t, patience, "the keyring answers", func() bool {
		return m.try("", "dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login",
			"org.freedesktop.DBus.Properties.Get", "string:org.freedesktop.Secret.Collection", "string:Locked").code == 0
	})
}

// TestTheKeyringKeepsTheTokens of a real daemon, and nothing else does.
func TestTheKeyringKeepsTheTokens(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	m := newTerminal(t)
	m.withKeyring()
	if told := m.login(s, people()["alice"]); !strings.Contains(told, "The refresh token is in the keyring.") {
		t.Errorf("got\n%s", told)
	}
	token := m.token(s)
	s.bearer("/recorder/", token).wantStatus(t, http.StatusOK)
	err := filepath.WalkDir(filepath.Join(m.home, "config"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(token)) || bytes.Contains(data, []byte("refresh_token")) {
			t.Errorf("%s has the tokens as well:\n%s", path, data)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// Where the keyring is gone the person is told that it is.
	withBus := m.env
	m.env = append(m.env[:len(m.env):len(m.env)], "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(m.home, "no-bus"))
	if got := m.try("", "claimproxy", "token", s.url); got.code != 1 || !strings.Contains(got.stderr, "the keyring, where the tokens for "+s.url+" are, cannot be read") {
		t.Errorf("got %+v", got)
	}
	m.env = withBus
	m.run("claimproxy", "logout", s.url)
	if got := m.try("", "claimproxy", "token", s.url); got.code != 1 || !strings.Contains(got.stderr, "not signed in") {
		t.Errorf("got %+v", got)
	}
}
