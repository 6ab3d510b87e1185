package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var systemdAnalyze = tool{
	name:    "systemd",
	present: func() bool { return onPath("systemd-analyze") },
	install: "apt-get install --no-install-recommends systemd",
}

// TestTheUnitsOfSystemdAreInOrder: systemd has nothing to say against those in docs/, and
// finds nothing of weight that is open.
func TestTheUnitsOfSystemdAreInOrder(t *testing.T) {
	t.Parallel()
	need(t, systemdAnalyze)
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"claimproxy.service", "claimproxy.socket"} {
		text, err := os.ReadFile(filepath.Join("../../../docs/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(dir, name)
		installed := strings.ReplaceAll(string(text), "/usr/local/bin/claimproxy", binary(t))
		if err := os.WriteFile(unit, []byte(installed), 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	for _, args := range [][]string{
		append([]string{"verify", "--man=no"}, units...),
		{"security", "--offline=yes", "--no-pager", "--threshold=15", units[0]},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// manager is the socket on which systemd hears of its services.
type manager struct {
	t    *testing.T
	conn net.PacketConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenPacket("unixgram", m.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	return m
}

// hears returns what it is told, by name, but for signs of life.
func (m *manager) hears() (told map[string]string) {
	m.t.Helper()
	for text := make([]byte, 4096); ; {
		m.conn.SetReadDeadline(time.Now().Add(patience))
		n, _, err := m.conn.ReadFrom(text)
		if err != nil {
			m.t.Fatal(err)
		}
		told = map[string]string{}
		for line := range strings.SplitSeq(string(text[:n]), "\n") {
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				m.t.Errorf("systemd is told %q", text[:n])
			}
			told[name] = value
		}
		if told["WATCHDOG"] == "" {
			return told
		}
	}
}

// monotonic is the time of CLOCK_MONOTONIC, in microseconds.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// TestSystemdIsToldHowItStands: when requests are answered, that it lives, when the files
// are loaded again and what came of that, and when it ends.
func TestSystemdIsToldHowItStands(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	c := newChanging(t)
	c.env = []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=200000"}
	began := monotonic(t)
	c.start()
	if told := m.hears(); told["READY"] != "1" || told["STATUS"] != "serving "+c.url {
		t.Errorf("at the start: %v", told)
	}
	c.want(t, "/public/", "", http.StatusOK)
	for range 2 {
		text := make([]byte, 100)
		m.conn.SetReadDeadline(time.Now().Add(patience))
		if n, _, err := m.conn.ReadFrom(text); err != nil || string(text[:n]) != "WATCHDOG=1" {
			t.Errorf("got %q, %v, want signs of life", text[:n], err)
		}
	}
	good := c.filledIn()
	for i, step := range []struct{ file, status string }{
		{good + "# and a remark\n", "serving " + c.url},
		{good + "polices: {}\n", "serving what was loaded before: the files as they are now were not accepted (it has 1 fault)"},
	} {
		c.put("claimproxy.yaml", step.file)
		if i == 0 {
			if err := c.process.signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		var at int64
		told := m.hears()
		if _, _ = fmt.Sscan(told["MONOTONIC_USEC"], &at); told["RELOADING"] != "1" || at < began || at > monotonic(t) {
			t.Errorf("step %d, when it begins: %v, between %d and %d", i, told, began, monotonic(t))
		}
		if told = m.hears(); told["READY"] != "1" || told["STATUS"] != step.status {
			t.Errorf("step %d, when it is done: %v", i, told)
		}
	}
	if err := c.process.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if told := m.hears(); told["STOPPING"] != "1" || told["EXTEND_TIMEOUT_USEC"] != "20000000" {
		t.Errorf("at the end: %v", told)
	}
	if code, err := c.process.wait(); code != 0 || err != nil {
		t.Errorf("it ended with %d, %v", code, err)
	}
	c.process = nil
}
