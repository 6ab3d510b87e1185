package config

import (
	"strings"
	"testing"
)

func TestAdminIsForThisMachineUnlessTold(t *testing.T) {
	for address, own := range map[string]bool{
		"127.0.0.1:8081": true, "127.1.2.3:9": true, "[::1]:8081": true, "localhost:8081": true, "LOCALHOST:8081": true, "127.0.0.1:0": true,
		":8081": false, "0.0.0.0:8081": false, "[::]:8081": false, "10.0.0.1:8081": false, "[::ffff:127.0.0.1]:8081": false, "[fe80::1]:8081": false,
		"admin.example.org:8081": false, "localhost.example.org:8081": false, "127.0.0.1.example.org:8081": false,
	} {
		got := errorLines(t, `admin: {listen: "`+address+`"}`+smallest)
		if own && len(got) != 0 || !own && (len(got) != 1 || !strings.Contains(got[0], "allow_remote: true")) {
			t.Errorf("%s: got %q, want it taken: %v", address, got, own)
		}
		if got := errorLines(t, `admin: {allow_remote: true, listen: "`+address+`"}`+smallest); len(got) != 0 {
			t.Errorf("%s where it is allowed: got %q", address, got)
		}
	}
}

func TestAdminIsNeverOnAPublicAddress(t *testing.T) {
	for _, test := range []struct {
		listen, admin string
		fault         string // empty: both can be
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", `: listen is "127.0.0.1:8080"`},
		{"", "127.0.0.1:8080", `: the default of listen is "127.0.0.1:8080"`},
		{"[10.0.0.1:80, ':8081']", "127.0.0.1:8081", `: listen[1] is ":8081"`},
		{"0.0.0.0:8081", "localhost:8081", `: listen is "0.0.0.0:8081"`},
		{"127.0.0.1:8081", "'[::]:8081'", `: listen is "127.0.0.1:8081"`},
		{"localhost:8081", "127.0.0.1:8081", `: listen is "localhost:8081"`},
		{"127.0.0.1:8081", "LOCALHOST:8081", `: listen is "127.0.0.1:8081"`},
		{"127.0.0.1:8081", "127.0.0.2:8081", ""},
		{"10.0.0.1:8081", "127.0.0.1:8081", ""},
		{"127.0.0.1:0", "127.0.0.1:0", ""},
		{"127.0.0.1:80", "127.0.0.1:81", ""},
	} {
		text := "admin: {allow_remote: true, listen: " + test.admin + "}" + smallest
		if test.listen != "" {
			text = "listen: " + test.listen + "\n" + text
		}
		got := errorLines(t, text)
		if test.fault == "" && len(got) != 0 || test.fault != "" && (len(got) != 1 || !strings.HasSuffix(got[0], test.fault)) {
			t.Errorf("listen: %s, admin: %s: got %q, want %q", test.listen, test.admin, got, test.fault)
		}
	}
}

func TestOperationsAreLeftOutByDefault(t *testing.T) {
	if c := mustParse(t, smallest); c.Admin != nil || c.Audit != nil {
		t.Errorf("got %v and %v", c.Admin, c.Audit)
	}
	c := mustParse(t, "admin: {}\naudit: {file: audit.log}"+smallest)
	if c.Admin.Listen != "127.0.0.1:8081" || c.Admin.AllowRemote || c.Audit.File != "/etc/claimproxy/audit.log" || c.Audit.Stdout {
		t.Errorf("got %+v and %+v", *c.Admin, *c.Audit)
	}
	if c := mustParse(t, "audit: {stdout: true}"+smallest); c.Audit.File != "" || !c.Audit.Stdout {
		t.Errorf("got %+v", *c.Audit)
	}
}
