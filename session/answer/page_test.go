package answer

import (
	"net/http"
	"strings"
	"testing"
)

const attack = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`

// pages are the answers that people meet; their goldens are what was looked at in
// a browser.
var pages = map[string]Content{
	"chooser.html": {
		Title: "Sign in",
		Text:  []string{"Choose the account you want to use."},
		Actions: []Action{
			{Label: "KDE Invent", URL: "/.auth/start/invent?return_to=%2Fanalytics%2F", Logo: "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAyNCAyNCI+PGNpcmNsZSBjeD0iMTIiIGN5PSIxMiIgcj0iMTAiIGZpbGw9IiNmZmYiLz48cGF0aCBkPSJNNyA4aDEwdjJIN3ptMCA0aDd2Mkg3eiIgZmlsbD0iIzEyNmNiMCIvPjwvc3ZnPg==", Color: "#1d99f3", ColorDark: "#126cb0"},
			{Label: "Field Office", URL: "/.auth/start/field", Logo: "https://field.example.org/logo.svg", Color: "#fc0"},
			{Label: "Guests", URL: "/.auth/start/guests"},
		},
	},
	"refusal.html": {
		Title: "You may not open this page",
		Text:  []string{"You are signed in as jane, but this page needs something that your account does not have."},
		Needs: []Need{{Needs: "groups contains teams/kde-developers", Have: "groups: [teams/kde-developers-emeritus]"}},
		Actions: []Action{
			{Label: "Sign in as somebody else", URL: "https://telemetry.example.org/.auth/sign-in?return_to=%2Fanalytics%2F"},
		},
		Help: "https://community.example.org/ask-for-access",
	},
	"unavailable.html": {
		Title:   "Please try again in a moment",
		Text:    []string{"The service that signs people in cannot be reached just now."},
		Actions: []Action{{Label: "Try again", URL: "/analytics/", Main: true}},
		Detail:  "provider-unavailable",
	},
	"sign-out.html": {
		Title:       "Sign out",
		Text:        []string{"You will be signed out here and at KDE Invent."},
		Actions:     []Action{{Label: "Sign out", URL: "/.auth/sign-out", Main: true, Post: true, Hidden: map[string]string{"return_to": "/"}}, {Label: "Stay signed in", URL: "/"}},
		FormOrigins: []string{"https://invent.example.org/oauth/logout"},
	},
	"me.html": {
		Title: "Jane Doe",
		Facts: []Fact{{"Signed in", "2026-11-21 10:00 UTC"}},
		Lists: []List{{Title: "Other sessions", Items: []Item{
			{Text: "Firefox on Linux", Note: "since 2026-11-20", Actions: []Action{{Label: "End", URL: "/.auth/sessions/end", Post: true, Hidden: map[string]string{"id": "1"}}}},
		}}},
		Actions: []Action{{Label: "Sign out", URL: "/.auth/sign-out", Post: true}},
		Tables: []Table{{Title: "What is known about you", Rows: []Row{
			{"email", []string{"jane@example.org"}},
			{"groups", strings.Fields("teams/a teams/b teams/c teams/d teams/e teams/f teams/g teams/h teams/i teams/j teams/k teams/l")},
			{"roles", strings.Fields("a b c d e f g h i j k")},
		}}},
	},
	"hostile.html": {
		Title: attack,
		Text:  []string{attack},
		Needs: []Need{{Needs: attack, Have: "groups: [" + attack + "]"}},
		Facts: []Fact{{attack, attack}},
		Tables: []Table{{Title: attack, Rows: []Row{
			{attack, []string{attack, attack, attack, attack, attack, attack, attack, attack, attack, attack, attack, attack}},
		}}},
		Lists: []List{{Title: attack, Items: []Item{{Text: attack, Note: attack}}}},
		Actions: []Action{
			{Label: attack, URL: "/x?y=" + attack, Logo: "data:image/svg+xml," + attack, Color: attack, ColorDark: `#fff"/><script>`},
			{Label: attack, URL: "/x", Post: true, Hidden: map[string]string{"return_to": attack}},
			{Label: "script link", URL: "javascript:alert(1)"},
			{Label: "elsewhere", URL: "//evil.example/"},
			{Label: "backslash", URL: `/\evil.example/`},
			{Label: "data link", URL: "data:text/html,<script>alert(1)</script>"},
		},
		Help:   "javascript:alert(1)//" + attack,
		Detail: attack,
	},
}

func TestPagesAreAsTheyWereLookedAt(t *testing.T) {
	a := newAnswers(t)
	for name, content := range pages {
		t.Run(name, func(t *testing.T) {
			res := ask("GET", nil, func(w http.ResponseWriter, r *http.Request) { a.Page(w, r, 200, content) })
			text := body(t, res)
			golden(t, name, "Content-Security-Policy: "+res.Header.Get("Content-Security-Policy")+"\n\n"+text)
			for _, inline := range []string{"<script", "style=\"", "<style", "onerror=\"", "javascript:alert(1)\"", "evil.example"} {
				if strings.Contains(text, inline) {
					t.Errorf("page contains %q", inline)
				}
			}
		})
	}
}

func TestLinksThatLeadAstrayAreLeftOut(t *testing.T) {
	for link, want := range map[string]bool{
		"/":                             true,
		"/.auth/sign-in?return_to=%2F":  true,
		"https://idp.example.org/end":   true,
		"http://127.0.0.1:8080/":        true,
		"":                              false,
		"relative":                      false,
		"//evil.example":                false,
		`/\evil.example`:                false,
		"/\t/evil.example":              false,
		"https:evil.example":            false,
		"https:///evil.example":         false,
		"https://user@evil.example/":    false,
		"javascript:alert(1)":           false,
		"JaVaScRiPt:alert(1)":           false,
		"data:text/html,x":              false,
		"https://a.example;script-src*": false,
	} {
		if got := safeLink(link); got != want {
			t.Errorf("safeLink(%q) = %v, want %v", link, got, want)
		}
	}
}

func TestLogosAreImagesOnly(t *testing.T) {
	for logo, want := range map[string]bool{
		"/logo.svg":                             true,
		"https://idp.example.org/logo.svg":      true,
		"data:image/svg+xml;base64,PHN2Zz48":    true,
		"http://idp.example.org/logo.svg":       false,
		"data:text/html,<script>":               false,
		`data:image/svg+xml,"><script>`:         false,
		"data:image/svg+xml,<svg onload=alert>": false,
	} {
		if got := safeLogo(logo); got != want {
			t.Errorf("safeLogo(%q) = %v, want %v", logo, got, want)
		}
	}
}

func TestLabelsAreReadableOnEveryColour(t *testing.T) {
	contrast := func(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
	for rgb := uint32(0); rgb <= 0xffffff; rgb += 0x010307 {
		hex := make([]byte, 7)
		hex[0] = '#'
		for i := range 6 {
			hex[6-i] = "0123456789abcdef"[rgb>>(4*i)&15]
		}
		f := newFill(string(hex))
		ink := 0.0
		if f.Ink == "ink-white" {
			ink = 1
		}
		if c := contrast(luminance(rgb), ink); c < 4.5 {
			t.Fatalf("%s with %s: contrast %.2f, want at least 4.5", hex, f.Ink, c)
		}
	}
}

func TestColoursThatAreNoneAreLeftOut(t *testing.T) {
	for color, want := range map[string]string{
		"#1d99f3": "#1d99f3", "#FC0": "#ffcc00",
		"": "", "red": "", "#12": "", "#1234567": "", "#-12345": "", "#+12345": "", "#ggg": "", "url(x)": "", "#0x1234": "",
	} {
		if got := newFill(color).Color; got != want {
			t.Errorf("newFill(%q) = %q, want %q", color, got, want)
		}
	}
}
