package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// keeper notes what it was given to keep.
type keeper struct {
	bodies []string
	err    error
}

func (k *keeper) KeepForm(r *http.Request, body []byte, place string) (string, error) {
	k.bodies = append(k.bodies, string(body))
	if k.err != nil {
		return "", k.err
	}
	return "/.auth/resend?form=ticket-of-" + url.QueryEscape(place), nil
}

// TestFormSentWithASessionThatIsOverIsKept, and nothing else is read: neither what a
// stranger sends nor what another site has a browser send.
func TestFormSentWithASessionThatIsOverIsKept(t *testing.T) {
	const form = "text=hello"
	own := []string{"Origin: https://" + publicHost, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Accept: text/html", "Content-Type: application/x-www-form-urlencoded"}
	without := func(name string) []string {
		var left []string
		for _, line := range own {
			if !strings.HasPrefix(line, name+":") {
				left = append(left, line)
			}
		}
		return left
	}
	expired := "Cookie: " + cookieName + "=expired"
	for name, c := range map[string]struct {
		method string
		lines  []string
		body   string
		length int
		kept   bool
	}{
		"a form of this origin":            {"POST", append([]string{expired}, own...), form, len(form), true},
		"a browser without Fetch":          {"POST", append([]string{expired}, "Origin: https://"+publicHost, "Accept: text/html"), form, len(form), true},
		"a stranger":                       {"POST", own, form, len(form), false},
		"somebody with a made-up cookie":   {"POST", append([]string{"Cookie: " + cookieName + "=made-up"}, own...), form, len(form), false},
		"another origin":                   {"POST", append([]string{expired, "Origin: https://evil.example"}, without("Origin")...), form, len(form), false},
		"two origins":                      {"POST", append([]string{expired, "Origin: https://evil.example"}, own...), form, len(form), false},
		"no origin":                        {"POST", append([]string{expired}, without("Origin")...), form, len(form), false},
		"a sibling site":                   {"POST", append([]string{expired, "Sec-Fetch-Site: same-site"}, without("Sec-Fetch-Site")...), form, len(form), false},
		"a script":                         {"POST", append([]string{expired, "Sec-Fetch-Mode: cors"}, without("Sec-Fetch-Mode")...), form, len(form), false},
		"a program":                        {"POST", append([]string{expired}, without("Accept")...), form, len(form), false},
		"another method":                   {"PUT", append([]string{expired}, own...), form, len(form), false},
		"more than is kept":                {"POST", append([]string{expired}, own...), "", 64<<10 + 1, false},
		"with credentials of another kind": {"POST", append([]string{expired, "Authorization: Basic eDp5"}, own...), form, len(form), false},
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{}
			h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, func(c *Config) { c.Forms = k })
			request := c.method + " /notes?draft=1 HTTP/1.1\r\nHost: " + publicHost + "\r\n" + strings.Join(c.lines, "\r\n") +
				fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", c.length, c.body)
			res := h.raw(t, request)
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("got %d, want 401", res.StatusCode)
			}
			body := res.body
			offered := strings.Contains(body, "return_to=%2F.auth%2Fresend%3Fform%3Dticket-of-") && strings.Contains(body, "you can send it again")
			if (len(k.bodies) == 1) != c.kept || offered != c.kept {
				t.Errorf("kept %q, offered %v, want %v\n%s", k.bodies, offered, c.kept, body)
			}
			if c.kept && k.bodies[0] != c.body {
				t.Errorf("kept %q, want %q", k.bodies[0], c.body)
			}
		})
	}
}

// TestFormThatCannotBeKeptIsRefusedAsEver, and nobody waits for one that does not come.
func TestFormThatCannotBeKeptIsRefusedAsEver(t *testing.T) {
	k := &keeper{err: errors.New("no")}
	h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, func(c *Config) { c.Forms = k })
	request := "POST /notes HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=expired\r\nOrigin: https://" + publicHost +
		"\r\nAccept: text/html\r\nContent-Length: 3\r\n\r\na=b"
	res := h.raw(t, request)
	if body := res.body; res.StatusCode != http.StatusUnauthorized || strings.Contains(body, "send it again") {
		t.Errorf("got %d: %s", res.StatusCode, body)
	}
}
