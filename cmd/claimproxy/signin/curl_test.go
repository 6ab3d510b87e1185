package signin

import (
	"strings"
	"testing"
)

// curlHelp is how curl prints its options.
var curlHelp = `Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -H, --header <header/@file> Pass custom header(s) to server
 -K, --config <file>        Read config from a file
 -L, --location             Follow redirects
     --location-trusted     Like --location, and send auth to other hosts
 -:, --next                 Make next URL use its separate set of options
 -o, --output <file>        Write to file instead of stdout
 -s, --silent               Silent mode
 -S, --show-error           Show error even when -s is used
     --url <url>            URL to work with
     --compressed           Request compressed response
 -0, --http1.0              Use HTTP 1.0
`

func TestTheTokenGoesToOneOrigin(t *testing.T) {
	o := ParseCurlHelp(curlHelp)
	const app = "https://app.example.org"
	for _, c := range []struct {
		args []string
		want string // part of the error; empty: it is fine
	}{
		{[]string{app}, ""},
		{[]string{"-sS", app + "/a?b#c", "-o", "https://evil.example"}, ""},
		{[]string{"-sSd", "https://evil.example", app + "/"}, ""},
		{[]string{"-dhttps://evil.example", app + "/", app + "/{a,b}"}, ""},
		{[]string{"--data", "-L", "--compressed", "--no-compressed", "-0", app + "/"}, ""},
		{[]string{app + "/", "https://evil.example/"}, "another place"},
		{[]string{"-s", "https://evil.example/", app + "/"}, "another place"},
		{[]string{app + "/", "http://app.example.org/"}, "not https"},
		{[]string{app + "/", app + ":8443/"}, "another place"},
		{[]string{app + ".evil.example/", app + "/"}, "another place"},
		{[]string{app + "@evil.example/"}, "user name"},
		{[]string{app + "\\@evil.example/"}, "expected an address"},
		{[]string{app + "?@evil.example/"}, "in full"},
		{[]string{app + "#@evil.example/"}, "in full"},
		{[]string{"https://{app,evil}.example.org/"}, "expected an address"},
		{[]string{"HTTPS://app.example.org/"}, "in full"},
		{[]string{"app.example.org/"}, "in full"},
		{[]string{" " + app}, ""},
		{[]string{"-L", app}, "follow redirects"},
		{[]string{"-sL", app}, "follow redirects"},
		{[]string{"--location", app}, "follow redirects"},
		{[]string{"--location-trusted", app}, "follow redirects"},
		{[]string{"--loc", app}, "write options in full"},
		{[]string{app, "--next", "https://evil.example"}, "begin anew"},
		{[]string{app, "-:", "https://evil.example"}, "begin anew"},
		{[]string{app, "--url", "https://evil.example"}, "not seen here"},
		{[]string{app, "-K", "evil"}, "not seen here"},
		{[]string{app, "-Kevil"}, "not seen here"},
		{[]string{app, "--config", "evil"}, "not seen here"},
		{[]string{app, "-Z"}, "no option -Z"},
		{[]string{app, "--expand-url", "x"}, "write options in full"},
		{[]string{app, "--data=x"}, "write options in full"},
		{[]string{app, "--", "-s"}, "leave out"},
		{[]string{app, "-"}, "in full"},
		{[]string{"-s"}, "which address"},
		{nil, "which address"},
		{[]string{app, "https://app.example.org\nheader/"}, "expected an address"},
	} {
		origin, err := o.CheckCurl(c.args)
		switch {
		case c.want == "" && c.args[0] == " "+app:
			if err == nil {
				t.Errorf("%q: got %s", c.args, origin)
			}
		case c.want == "" && (err != nil || origin != app):
			t.Errorf("%q: got %s, %v", c.args, origin, err)
		case c.want != "":
			wantError(t, err, c.want)
		}
	}
}

func TestCurlIsGivenOneHeader(t *testing.T) {
	got := Token{AccessToken: "abc-._~+/="}.CurlConfig()
	if !strings.Contains(got, "\nheader = \"Authorization: Bearer abc-._~+/=\"\n") || strings.Count(got, "\n") != 3 {
		t.Errorf("got %q", got)
	}
	got = Token{AccessToken: "abc", Provider: "invent", ProviderHeader: "X-QFC-IDP-ID"}.CurlConfig()
	if !strings.HasSuffix(got, "\nheader = \"X-QFC-IDP-ID: invent\"\n") {
		t.Errorf("got %q, want the provider named", got)
	}
	if ParseCurlHelp(curlHelp).Known() {
		t.Error("a dozen options are taken for all of curl's")
	}
}
