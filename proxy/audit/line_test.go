package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/proxy"
)

// full is an event with something in every field that a line has.
func full() proxy.Event {
	return proxy.Event{
		Time: time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.FixedZone("", 3600)), RequestID: "k3vq8w2mzp5xa7nd",
		Route: "telemetry.example.org/admin/", Host: "telemetry.example.org", Path: "/admin/caf%C3%A9", Method: "POST",
		ClientIP: "2001:db8::1", Decision: "deny", Reason: "not-allowed", Policy: "admins", Shadow: "allow",
		ShadowPolicy: `groups contains "teams/a b"`, ShadowDiffers: true, Auth: "browser", Provider: "invent",
		Subject: "1234", Status: 403, Upstream: "telemetry", Duration: 1234567 * time.Nanosecond, LeftOut: 2,
	}
}

// TestKeysAndTheirOrderStay: people write programs that read these lines.
func TestKeysAndTheirOrderStay(t *testing.T) {
	for _, test := range []struct {
		name  string
		event proxy.Event
		want  string
	}{
		{"everything", full(), `{"time":"2026-11-21T09:00:00.123456Z","request_id":"k3vq8w2mzp5xa7nd","route":"telemetry.example.org/admin/",` +
			`"host":"telemetry.example.org","method":"POST","path":"/admin/caf%C3%A9","client_ip":"2001:db8::1","decision":"deny",` +
			`"reason":"not-allowed","policy":"admins","auth":"browser","provider":"invent","sub":"1234","status":403,"upstream":"telemetry",` +
			`"duration_ms":1.235,"shadow":"allow","shadow_policy":"groups contains \"teams/a b\""}` + "\n"},
		{"nothing", proxy.Event{}, `{"time":"0001-01-01T00:00:00.000000Z","request_id":"","route":"","host":"","method":"","path":"",` +
			`"client_ip":"","decision":"","reason":"","policy":"","auth":"","provider":"","sub":"","status":0,"upstream":"","duration_ms":0.000,` +
			`"shadow":"","shadow_policy":""}` + "\n"},
	} {
		if got := string(appendLine(nil, &test.event)); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestNoValueCanBreakALine(t *testing.T) {
	for value, want := range map[string]string{
		"jane":              "jane",
		"Jürgen 😀":          "Jürgen 😀",
		"a\n{\"time\":\"x":  `a\u000a{\"time\":\"x`,
		"a\r\tb\x00\x1b[2J": `a\u000d\u0009b\u0000\u001b[2J`,
		`C:\x"`:             `C:\\x\"`,
		"del\x7f\u0085":     `del\u007f\u0085`,
		"\u2028\u2029":      `\u2028\u2029`,
		"\u202egnp.exe":     `\u202egnp.exe`,
		"\U000e0041":        `\udb40\udc41`,
		"\xff\xc3":          `\ufffd\ufffd`,
		"\ufffd":            "\ufffd",
	} {
		if got := string(appendEscaped(nil, value)); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"as long as may be", strings.Repeat("a", maxValue), strings.Repeat("a", maxValue)},
		{"one more", strings.Repeat("a", maxValue+1), strings.Repeat("a", maxValue) + "..."},
		{"not inside a character", strings.Repeat("a", maxValue-1) + "éé", strings.Repeat("a", maxValue-1) + "..."},
		{"behind a character", strings.Repeat("a", maxValue-2) + "éé", strings.Repeat("a", maxValue-2) + "é..."},
	} {
		if got := string(appendText(nil, "k", test.value)); got != `,"k":"`+test.want+`"` {
			t.Errorf("%s: got %d bytes that end in %q", test.name, len(got), got[len(got)-8:])
		}
	}
}

func TestALineIsBounded(t *testing.T) {
	long := strings.Repeat("\x00", 1<<20)
	e := proxy.Event{
		RequestID: long, Route: long, Host: long, Path: long, Method: long, ClientIP: long, Decision: long, Reason: proxy.Reason(long),
		Policy: long, Shadow: long, ShadowPolicy: long, Auth: long, Provider: long, Subject: long, Upstream: long,
	}
	if got := len(appendLine(nil, &e)); got > 200<<10 {
		t.Errorf("a line has %d bytes", got)
	}
}

// FuzzLine: whatever the values, there is one line of JSON that says them.
func FuzzLine(f *testing.F) {
	f.Add("telemetry.example.org", "/a\n\"}", "jane\xff")
	f.Add("\u2028", "\x1b]0;x\a", "\U000e0041")
	f.Fuzz(func(t *testing.T, host, path, sub string) {
		line := appendLine(nil, &proxy.Event{Host: host, Path: path, Subject: sub})
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("more than a line: %q", line)
		}
		var got struct{ Host, Path, Sub string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		for _, v := range [][2]string{{got.Host, host}, {got.Path, path}, {got.Sub, sub}} {
			if utf8.ValidString(v[1]) && len(v[1]) <= maxValue && v[0] != v[1] {
				t.Errorf("got %q, want %q", v[0], v[1])
			}
		}
	})
}
