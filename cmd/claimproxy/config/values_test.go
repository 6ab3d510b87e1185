package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90s": 90 * time.Second, "15m": 15 * time.Minute, "8h": 8 * time.Hour, "7d": 7 * 24 * time.Hour,
		"1h30m": 90 * time.Minute, "1d12h30m5s": 36*time.Hour + 30*time.Minute + 5*time.Second, `"15m"`: 15 * time.Minute, "106751d": 106751 * 24 * time.Hour,
	} {
		c := mustParse(t, "shutdown_timeout: "+text+smallest)
		if got := c.ShutdownTimeout; got != want {
			t.Errorf("%s: got %v, expected %v", text, got, want)
		}
		if again := formatDuration(want); !strings.Contains(again, strings.Trim(text, `"`)) && text != "90s" {
			t.Errorf("%v is written as %s, expected %s", want, again, text)
		}
	}
	for _, text := range []string{
		"0", "15", "1.5h", "-5m", "+5m", "5M", "5 m", "m", "30m1h", "1h1h", "500ms", "1us", "0s", "0h0m0s", "1w", "1y", "∞", "106752d",
		"9223372036854775807s", "99999999999999999999s", "106751d86400s86400s", `""`, "true", "[15m]", "{m: 15}",
	} {
		if got := errorLines(t, "shutdown_timeout: "+text+smallest); len(got) != 1 || !strings.Contains(got[0], "shutdown_timeout: expected a duration") {
			t.Errorf("%s: got %q, expected one fault", text, got)
		}
	}
}

func TestPublicURLIsAnOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://telemetry.example.org":      "https://telemetry.example.org",
		"https://Telemetry.Example.ORG/":     "https://telemetry.example.org",
		"https://telemetry.example.org:443":  "https://telemetry.example.org",
		"https://telemetry.example.org:8443": "https://telemetry.example.org:8443",
		"https://telemetry.example.org:80":   "https://telemetry.example.org:80",
		"https://10.0.0.1":                   "https://10.0.0.1",
		"https://[2001:DB8:0::1]:443":        "https://[2001:db8::1]",
		"https://[2001:db8::1]:8443":         "https://[2001:db8::1]:8443",
		"http://localhost:8080":              "http://localhost:8080",
		"http://127.0.0.1:80":                "http://127.0.0.1",
		"http://127.1.2.3:8080":              "http://127.1.2.3:8080",
		"http://[::1]:8080":                  "http://[::1]:8080",
	} {
		c := mustParse(t, strings.Replace(smallest, "https://telemetry.example.org", `"`+text+`"`, 1))
		if got := c.PublicURL.String(); got != want {
			t.Errorf("%s: got %s, expected %s", text, got, want)
		}
		if got, want := c.Routes[0].Hosts[0], c.PublicURL.Hostname(); got != want {
			t.Errorf("%s: the default host of a route: got %s, expected %s", text, got, want)
		}
	}
}

// Cookies and codes go to public_url and to the issuer; whoever can listen on the way
// can sign in as somebody else. Plain http is for this very machine.
func TestPlainHTTPLeavesTheMachineNowhere(t *testing.T) {
	for _, url := range []string{
		"http://telemetry.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://127.0.0.1.example.org", "http://[::2]", "http://[::ffff:127.0.0.1]",
		"http://0.0.0.0", "http://localhost@evil.example", "http://localhost\\@evil.example", "http://127.1", "http://0x7f000001", "http://2130706433", "http://128.0.0.1",
		"ftp://localhost", "//localhost", "https:localhost", "https:///x", "https://", "https://:443", "https://a:b@telemetry.example.org", "https://telemetry.example.org?x",
		"https://telemetry.example.org#x", "https://telemetry.example.org:0", "https://telemetry.example.org:", "https://telemetry..org", "https://telemetry.example.org.",
		"https://tele metry.org", "https://télémetry.org", "https://%74.org", "javascript:alert(1)", "https://*.example.org",
	} {
		quoted := "'" + url + "'"
		for key, text := range map[string]string{
			"public_url":                        strings.Replace(smallest, "https://telemetry.example.org", quoted, 1),
			"providers[0].issuer":               strings.Replace(smallest, `"https://invent.example.org"`, quoted, 1),
			"providers[0].metadata.jwks_uri":    strings.Replace(smallest, "client_id: abc", "client_id: abc, metadata: {jwks_uri: "+quoted+"}", 1),
			"providers[0].client.redirect_uri":  strings.Replace(smallest, "client_id: abc", "client_id: abc, clients: [{client_id: x, redirect_uri: "+quoted+"}]", 1),
			"routes[0].upstream.url of a proxy": strings.Replace(smallest, `"http://127.0.0.1:8000"`, "{url: "+quoted+"}", 1),
		} {
			// What is legal for some of the keys.
			switch {
			case strings.Contains(key, "upstream") && (strings.HasPrefix(url, "http://telem") || strings.HasPrefix(url, "http://1") || strings.HasPrefix(url, "http://0.") || strings.HasPrefix(url, "http://[") || url == "http://localhost.example.org"):
				continue
			case strings.Contains(key, "jwks_uri") && strings.HasSuffix(url, "?x"), strings.Contains(key, "redirect_uri") && (strings.HasSuffix(url, "?x") || strings.HasPrefix(url, "ftp")):
				continue
			}
			if got := errorLines(t, text); len(got) == 0 {
				t.Errorf("%s: %s was accepted", key, url)
			}
		}
	}
}

func TestNativeRedirectURIs(t *testing.T) {
	for _, uri := range []string{"http://127.0.0.1:11450/", "http://localhost/", "http://[::1]:1/x?y=z", "https://app.example.org/return", "org.kde.console:/callback", "org.kde.console://callback"} {
		c := mustParse(t, strings.Replace(smallest, "client_id: abc", `client_id: abc, clients: [{client_id: x, redirect_uri: "`+uri+`"}]`, 1))
		if got := c.Providers[0].Clients[0].RedirectURI; got != uri {
			t.Errorf("got %s, expected %s", got, uri)
		}
	}
}

func TestUserPrefixKeepsProvidersApart(t *testing.T) {
	two := strings.Replace(smallest, "client_id: abc}", `client_id: abc}
  - {id: lab, issuer: "https://lab.example.org", client_id: abc}
  - {id: old, issuer: "https://old.example.org", client_id: abc, user_prefix: ""}`, 1)
	var got []string
	for _, p := range mustParse(t, two).Providers {
		got = append(got, p.UserPrefix)
	}
	if diff := cmp.Diff([]string{"invent:", "lab:", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIdleIsNoLongerThanAShortLifetime(t *testing.T) {
	if got := mustParse(t, "session: {lifetime: 1h}"+smallest).Session.Idle; got != time.Hour {
		t.Errorf("got %v, expected the lifetime", got)
	}
}

func TestIdentityHeadersComeFromTheRouteElseTheUpstream(t *testing.T) {
	c := mustParse(t, `
public_url: https://telemetry.example.org
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc}
policies: {admins: groups contains a, editors: groups contains b}
upstreams:
  plain: {url: "http://127.0.0.1:8000"}
  grafana: {url: "http://127.0.0.1:3000", identity_headers: grafana, forward_token: true}
routes:
  - {path: /1, upstream: plain, allow: signed-in}
  - {path: /2, upstream: grafana, allow: signed-in}
  - {path: /3, upstream: grafana, allow: signed-in, identity_headers: none, forward_token: false}
  - path: /4
    upstream: plain
    allow: signed-in
    identity_headers:
      - remote-user
      - X-Name: name
        X-Role: {admins: Admin, editors: Editor, else: Viewer}
  - {path: /5, upstream: plain, allow: signed-in, identity_headers: {X-Mail: email}}
`)
	want := []IdentityHeaders{
		{{Preset: PresetXForwarded}},
		{{Preset: PresetGrafana}},
		{{Preset: PresetNone}},
		{{Preset: PresetRemoteUser}, {Name: "X-Name", Claim: "name"}, {Name: "X-Role", Cases: []HeaderCase{{"admins", "Admin"}, {"editors", "Editor"}}, Else: "Viewer"}},
		{{Name: "X-Mail", Claim: "email"}},
	}
	for i, r := range c.Routes {
		if diff := cmp.Diff(want[i], r.IdentityHeaders); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Path, diff)
		}
		if want := r.Path == "/2"; r.ForwardToken != want {
			t.Errorf("%s: forward_token: got %t, expected %t", r.Path, r.ForwardToken, want)
		}
	}
}

func TestClausesKnowWhereTheirTextStands(t *testing.T) {
	c := mustParse(t, `public_url: https://telemetry.example.org
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
policies:
  plain: groups contains a   # a comment
  quoted: 'email is "a b"'
  literal: |
    groups contains a
  folded:
    require: >-

      groups contains a and
      groups contains b
  block:
    title: A block
    require:
      all:
        - groups contains a
        - any: [groups contains b, "groups contains c"]
        - not: groups contains d
    help: |
      Ask in #sysadmin.
      Or stay out.
routes:
  - {upstream: "http://127.0.0.1:8000", allow: "plain"}
`)
	at := func(line, column int) policy.Position {
		return policy.Position{File: "/etc/claimproxy/claimproxy.yaml", Line: line, Column: column}
	}
	want := []policy.Definition{
		{Name: "plain", At: at(4, 3), Require: policy.Clause{Text: "groups contains a", At: at(4, 10)}},
		{Name: "quoted", At: at(5, 3), Require: policy.Clause{Text: `email is "a b"`, At: at(5, 12)}},
		{Name: "literal", At: at(6, 3), Require: policy.Clause{Text: "groups contains a", At: at(7, 5)}},
		{Name: "folded", At: at(8, 3), Require: policy.Clause{Text: "groups contains a and groups contains b", At: at(11, 7)}},
		{Name: "block", Title: "A block", Help: "Ask in #sysadmin.\nOr stay out.", At: at(13, 3), Require: policy.Clause{At: at(16, 7), All: []policy.Clause{
			{Text: "groups contains a", At: at(17, 11)},
			{At: at(18, 11), Any: []policy.Clause{{Text: "groups contains b", At: at(18, 17)}, {Text: "groups contains c", At: at(18, 37)}}},
			{At: at(19, 11), Not: &policy.Clause{Text: "groups contains d", At: at(19, 16)}},
		}}},
	}
	if diff := cmp.Diff(want, c.Definitions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&policy.Clause{Text: "plain", At: at(24, 49)}, c.Routes[0].Allow); diff != "" {
		t.Errorf("allow (-want +got):\n%s", diff)
	}
}

// Wherever and however a condition is written, the caret stands below its fault.
func TestFaultsInConditionsAreFoundInTheFile(t *testing.T) {
	for name, condition := range map[string]string{
		"plain":                  "email_verified is true and groups contians a",
		"plain over two lines":   "email_verified is true and\n       groups contians a",
		"in single quotes":       "'email_verified is true and groups contians a'",
		"in double quotes":       `"email_verified is true and groups contians a"`,
		"quotes over two lines":  "'email_verified is true and\n\n       groups contians a'",
		"literal":                "|\n      email_verified is true and\n      groups contians a",
		"literal, indented":      "|\n      email_verified is true and\n        groups contians a",
		"folded":                 ">-\n      email_verified is true\n      and groups contians a\n",
		"folded, a blank before": ">\n\n\n      email_verified is true and groups contians a\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := "policies:\n  x:\n    require: " + condition + smallest
			_, r := parse(text)
			report := rendered(t, r)
			if len(r.Errors) != 1 {
				t.Fatal(report)
			}
			f := r.Errors[0]
			line := strings.Split(text, "\n")[f.At.Line-1]
			if got := line[f.At.Column-1:][:f.Length]; got != "contians" || f.Path != "policies.x.require" {
				t.Errorf("got %q at %s, expected contians:\n%s", got, f.Path, report)
			}
		})
	}
	// With escapes the place inside the text cannot be known; its beginning can.
	if got := errorLines(t, "policies:\n  x: \"groups\\x20contians a\""+smallest); len(got) != 1 || !strings.HasPrefix(got[0], "2:7: policies.x: ") {
		t.Errorf("got %q, expected one fault at the beginning of the text", got)
	}
}

// `groups contains a #b and email_verified is true` would be the half of a condition,
// and let in more people than the whole.
func TestCommentCannotCutAConditionShort(t *testing.T) {
	for _, condition := range []string{
		"groups contains #sharp", "groups contains a #b and email_verified is true", "groups contains a and # b", "email_verified is true and not  # x", "policy #x", "groups contains any of #[a]",
	} {
		got := errorLines(t, fmt.Sprintf("policies:\n  x: %s%s", condition, smallest))
		if len(got) != 1 || !strings.Contains(got[0], "`#` began a comment here: quote the condition") {
			t.Errorf("%s: got %q", condition, got)
		}
		if got := errorLines(t, fmt.Sprintf("policies:\n  x: '%s'%s", condition, smallest)); len(got) > 0 && strings.Contains(got[0], "comment here") {
			t.Errorf("in quotes: %s: got %q", condition, got)
		}
	}
	for _, comment := range []string{"# people of A", "#", "#\tx", "# and email_verified is true"} {
		if got := errorLines(t, fmt.Sprintf("policies:\n  x: groups contains a %s%s", comment, smallest)); len(got) != 0 {
			t.Errorf("%s: got %q", comment, got)
		}
	}
}
