package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewCookieNames(t *testing.T) {
	for _, tt := range []struct {
		name   string
		secure bool
		want   CookieNames
	}{
		{"claimproxy", true, CookieNames{Session: "__Host-claimproxy", AttemptPrefix: "__Host-claimproxy-login-", Secure: true}},
		{"claimproxy", false, CookieNames{Session: "claimproxy", AttemptPrefix: "claimproxy-login-", Secure: false}},
		{"a.b_c-1", true, CookieNames{Session: "__Host-a.b_c-1", AttemptPrefix: "__Host-a.b_c-1-login-", Secure: true}},
	} {
		got, err := NewCookieNames(tt.name, tt.secure)
		if err != nil || got != tt.want {
			t.Errorf("%q, secure %t: got %+v, %v, want %+v", tt.name, tt.secure, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "a b", "a=b", "a;b", "a,b", "é", "a\nb", "__Host-x", "__host-x", "__Secure-x", "__SECURE-x"} {
		if got, err := NewCookieNames(bad, true); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
}

func TestOwnCookies(t *testing.T) {
	names, err := NewCookieNames("claimproxy", true)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"__Host-claimproxy": true, "__Host-claimproxy.1": true, "__Host-claimproxy.12": true,
		"__Host-claimproxy-login-": true, "__Host-claimproxy-login-x7": true,
		"claimproxy": false, "__Host-claimproxy.": false, "__Host-claimproxy.x": false, "__Host-claimproxy.1x": false,
		"__Host-claimproxy2": false, "__Host-claimproxy-theme": false, "__host-claimproxy": false, "": false, "x": false,
	} {
		if got := names.Own(name); got != want {
			t.Errorf("Own(%q): got %t, want %t", name, got, want)
		}
	}
	if (CookieNames{}).Own("") || (CookieNames{}).Own("x") {
		t.Error("without names a cookie is claimed")
	}
}

func TestStripKeepsTheOthersByteForByte(t *testing.T) {
	names, err := NewCookieNames("cp", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		in, want  []string
		unchanged bool
	}{
		{"no cookies", nil, nil, true},
		{"foreign ones alone", []string{"a=1;b=2 ;  c; =d;;"}, []string{"a=1;b=2 ;  c; =d;;"}, true},
		{"ours alone", []string{"cp=x"}, nil, false},
		{"ours first", []string{"cp=x; a=1"}, []string{"a=1"}, false},
		{"ours last", []string{"a=1; cp=x"}, []string{"a=1"}, false},
		{"ours between", []string{"a=1; cp=x; b=2"}, []string{"a=1; b=2"}, false},
		{"several of ours", []string{"cp=1; a=1; cp=2; cp-login-9=y; b=2; cp.1=z; cp"}, []string{"a=1; b=2"}, false},
		{"odd blanks", []string{"cp =x;\tcp\t=y;a = 1 ;cp=;  b=2"}, []string{"a = 1 ;  b=2"}, false},
		{"odd values", []string{`a="x y"; cp=x; b=%%%; c=é; d==;e`}, []string{`a="x y"; b=%%%; c=é; d==;e`}, false},
		{"several headers", []string{"a=1", "cp=x", "cp=y; b=2"}, []string{"a=1", "b=2"}, false},
		{"nothing but rubbish left", []string{"cp=x; "}, nil, false},
		{"what a crash was made of elsewhere", []string{";", "=", "a=1; ; cp=x; b"}, []string{";", "=", "a=1; ; b"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.in != nil {
				h["Cookie"] = tt.in
			}
			names.Strip(h)
			if diff := cmp.Diff(tt.want, h["Cookie"]); diff != "" {
				t.Errorf("Cookie (-want +got):\n%s", diff)
			}
			if _, there := h["Cookie"]; there && tt.want == nil {
				t.Error("an empty Cookie header stayed")
			}
		})
	}
}

func TestStripDoesNotChangeTheCallersSlice(t *testing.T) {
	names, _ := NewCookieNames("cp", false)
	in := []string{"cp=x; a=1", "b=2"}
	h := http.Header{"Cookie": in}
	names.Strip(h)
	if in[0] != "cp=x; a=1" {
		t.Error("the inbound request's header was changed through a shared slice")
	}
}

func FuzzStrip(f *testing.F) {
	names, _ := NewCookieNames("cp", false)
	for _, s := range []string{"", "cp=x", "a=1; cp=x; b=2", "cp", ";", "=;cp==", "cp-login-1=a", " cp = x", "a=cp=x", "\n\ncp"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		names.Strip(h)
		left := strings.Join(h["Cookie"], "; ")
		for _, c := range (&http.Request{Header: h}).Cookies() {
			if names.Own(c.Name) {
				t.Fatalf("%q: %q reaches the upstream", line, c.Name)
			}
		}
		var found [maxHandles]handle
		if carriedHandles(h["Cookie"], names.Session, parseHandle, &found) != 0 {
			t.Fatalf("%q: a handle reaches the upstream", line)
		}
		if !names.anyOwn([]string{line}) && left != line {
			t.Fatalf("%q became %q without reason", line, left)
		}
	})
}

func TestSetCookieReplacesOneOfItsNameAndNoOther(t *testing.T) {
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "cp", Value: "old"})
	http.SetCookie(w, &http.Cookie{Name: "cp2", Value: "2"})
	SetCookie(w.Header(), &http.Cookie{Name: "cp", Value: "new"})
	want := []string{"a=1", "cp2=2", "cp=new"}
	if diff := cmp.Diff(want, w.Header()["Set-Cookie"]); diff != "" {
		t.Errorf("Set-Cookie (-want +got):\n%s", diff)
	}
}
