package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/proxy"
)

var fullEvent = proxy.Event{
	Time: time.Now(), RequestID: "abcdefghijkmnpqr", Route: "a.example/", Host: "a.example", Path: "/x\"\n\u202e<&>", Method: "GET", ClientIP: "192.0.2.1",
	Decision: "allow", Reason: "policy", Policy: "developers", Auth: "browser", Provider: "invent", Subject: "17", Status: 200, Upstream: "app",
	Duration: 1500 * time.Microsecond, Shadow: "deny", ShadowPolicy: "admins", ShadowDiffers: true,
}

// TestTheLineIsTheOneThatSlogWouldWrite: the same members with the same values, whoever
// writes it.
func TestTheLineIsTheOneThatSlogWouldWrite(t *testing.T) {
	plain := fullEvent
	plain.Shadow, plain.ShadowPolicy, plain.ShadowDiffers = "", "", false
	for name, e := range map[string]proxy.Event{"with a shadow": fullEvent, "without": plain, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			read := func(lines *lineWriter, to *bytes.Buffer) (members map[string]any) {
				w := &watch{log: slog.New(slog.NewJSONHandler(to, nil)), lines: lines}
				w.writeLog(e)
				if lines != nil {
					lines.flush()
				}
				if !bytes.HasSuffix(to.Bytes(), []byte("}\n")) || bytes.Count(to.Bytes(), []byte("\n")) != 1 {
					t.Errorf("it is no line: %q", to)
				}
				if err := json.Unmarshal(to.Bytes(), &members); err != nil {
					t.Fatalf("%v: %s", err, to)
				}
				if _, err := time.Parse(time.RFC3339Nano, members["time"].(string)); err != nil {
					t.Error(err)
				}
				delete(members, "time")
				return members
			}
			var bySlog, ours bytes.Buffer
			if diff := cmp.Diff(read(nil, &bySlog), read(&lineWriter{to: &ours}, &ours)); diff != "" {
				t.Errorf("(-slog +ours):\n%s", diff)
			}
		})
	}
}

func BenchmarkRequestLine(b *testing.B) {
	w := &watch{lines: &lineWriter{to: io.Discard}}
	b.ReportAllocs()
	for b.Loop() {
		w.writeLog(fullEvent)
	}
}
