package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// logrotateProgram finds logrotate, which Debian keeps where only root looks.
func logrotateProgram() string {
	for _, program := range []string{"logrotate", "/usr/sbin/logrotate"} {
		if onPath(program) {
			return program
		}
	}
	return ""
}

var logrotate = tool{
	name:    "logrotate",
	present: func() bool { return logrotateProgram() != "" },
	install: "apt-get install --no-install-recommends logrotate",
}

// decided is a line of the audit log.
type decided struct {
	RequestID string `json:"request_id"`
	Path      string
}

// auditLines reads an audit file and all that was rotated away.
func auditLines(t *testing.T, file string) (all []decided) {
	t.Helper()
	names, err := filepath.Glob(file + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			r, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		for line := range bytes.Lines(data) {
			var d decided
			if err := json.Unmarshal(line, &d); err != nil {
				t.Errorf("%s has the line %.100q", filepath.Base(name), line)
			}
			all = append(all, d)
		}
	}
	return all
}

// TestTheAuditLogIsRotatedByLogrotate, while requests come: no line is lost and none is cut.
func TestTheAuditLogIsRotatedByLogrotate(t *testing.T) {
	t.Parallel()
	need(t, logrotate)
	for name, test := range map[string]struct {
		how string // %d is the process
		// loses says that lines may be lost between logrotate's copy and its truncation.
		loses bool
	}{
		"as documented":                   {"rotate 52\ncompress\ndelaycompress\nmissingok\nnocreate", false},
		"with a new file and the signal":  {"rotate 52\ncreate 0600\npostrotate\nkill -USR1 %d\nendscript", false},
		"with a new file and no signal":   {"rotate 52\ncreate 0600", false},
		"copied and emptied in its place": {"rotate 52\ncopytruncate", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "audit.log")
			c := newTroubled(t, fmt.Sprintf("audit: {file: %q}\n", file))
			c.start()
			how := strings.ReplaceAll(test.how, "%d", fmt.Sprint(c.process.cmd.Process.Pid))
			config := c.write("logrotate.conf", fmt.Sprintf("%s {\n%s\n}\n", file, how))
			end, sent := make(chan struct{}), make(chan int)
			go func() {
				conn := dialKept(t, c.Listen)
				n := 0
				defer func() { sent <- n }()
				for {
					select {
					case <-end:
						return
					default:
					}
					if got := conn.get(t, fmt.Sprint("/public/", n), c.url); got != http.StatusOK {
						t.Errorf("got %d", got)
						return
					}
					n++
				}
			}()
			for range 4 {
				before := len(auditLines(t, file))
				if out, err := exec.Command(logrotateProgram(), "--force", "--state", filepath.Join(c.dir, "rotated"), config).CombinedOutput(); err != nil {
					t.Fatalf("logrotate: %v\n%s", err, out)
				}
				eventually(t, patience, "there are new lines", func() bool {
					info, err := os.Stat(file)
					return err == nil && info.Size() > 0 && (test.loses || len(auditLines(t, file)) > before)
				})
			}
			close(end)
			n := <-sent
			c.stop()
			if rotated, _ := filepath.Glob(file + ".*"); len(rotated) != 4 {
				t.Errorf("it was rotated into %v, want four", rotated)
			}
			found := map[string]int{}
			var one decided
			for _, d := range auditLines(t, file) {
				found[d.Path]++
				one = d // of a file that was rotated away, as they are read in the order of their names
			}
			for i := range n {
				if times := found[fmt.Sprint("/public/", i)]; times > 1 || times == 0 && !test.loses {
					t.Fatalf("of %d requests number %d stands there %d times", n, i, times)
				}
			}
			if n < 4 || len(found) == 0 { // at least one for each rotation
				t.Errorf("%d requests, %d lines", n, len(found))
			}
			got := runClaimproxy(t, c.dir, "audit", "explain", one.RequestID, "--file", file)
			if got.code != 0 || !strings.Contains(got.stdout, one.Path+" was let in") {
				t.Errorf("it is not explained: %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}
