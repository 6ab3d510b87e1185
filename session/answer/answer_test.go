package answer

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newAnswers(t *testing.T) *Answers {
	t.Helper()
	return New(Options{
		Endpoints: "/.auth",
		Site:      "telemetry.example.org",
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// ask has h answer a request and returns the answer. The request id is what the
// proxy would have set before.
func ask(method string, header http.Header, h func(http.ResponseWriter, *http.Request)) *http.Response {
	r := httptest.NewRequest(method, "/somewhere", nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "kq3v5n7x2m4p6r8t")
	h(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// securityHeaders are what no answer of ours may lack.
var securityHeaders = map[string]string{
	"Cache-Control":          "no-store",
	"X-Content-Type-Options": "nosniff",
	"Referrer-Policy":        "no-referrer",
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	a := newAnswers(t)
	answers := map[string]func(http.ResponseWriter, *http.Request){
		"page":     func(w http.ResponseWriter, r *http.Request) { a.Page(w, r, 403, Content{Title: "No"}) },
		"problem":  func(w http.ResponseWriter, r *http.Request) { a.Problem(w, r, 403, Problem{Code: "not-allowed"}) },
		"style":    a.ServeStyle,
		"redirect": func(w http.ResponseWriter, r *http.Request) { a.Redirect(w, r, 302, "https://telemetry.example.org/") },
		"json":     func(w http.ResponseWriter, r *http.Request) { a.JSON(w, r, 200, map[string]string{}) },
		"fault":    func(w http.ResponseWriter, r *http.Request) { a.JSON(w, r, 200, func() {}) },
	}
	for name, h := range answers {
		t.Run(name, func(t *testing.T) {
			res := ask("GET", nil, h)
			for header, want := range securityHeaders {
				if got := res.Header.Values(header); len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			policy := res.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("Content-Security-Policy %q lacks %q", policy, want)
				}
			}
			for _, refused := range []string{"unsafe", "script-src", "*"} {
				if strings.Contains(policy, refused) {
					t.Errorf("Content-Security-Policy %q contains %q", policy, refused)
				}
			}
		})
	}
}

func TestProblemHasTheMembersOfTheContract(t *testing.T) {
	a := newAnswers(t)
	res := ask("GET", nil, func(w http.ResponseWriter, r *http.Request) {
		a.Problem(w, r, 401, Problem{
			Code:      "no-credentials",
			Detail:    "Sign in.",
			SignInURL: "https://telemetry.example.org/.auth/sign-in",
		})
	})
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: got %q", got)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(body(t, res)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type":        "about:blank",
		"title":       "Unauthorized",
		"status":      401.0,
		"detail":      "Sign in.",
		"code":        "no-credentials",
		"message":     "Sign in.",
		"request_id":  "kq3v5n7x2m4p6r8t",
		"sign_in_url": "https://telemetry.example.org/.auth/sign-in",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestRedirectSendsTheLocationAsItIsAndNoBody(t *testing.T) {
	a := newAnswers(t)
	const location = "https://telemetry.example.org/.auth/sign-in?return_to=%2Fa%3Fb"
	res := ask("GET", nil, func(w http.ResponseWriter, r *http.Request) { a.Redirect(w, r, 302, location) })
	if got := res.Header.Get("Location"); res.StatusCode != 302 || got != location {
		t.Errorf("got %d to %q, want 302 to %q", res.StatusCode, got, location)
	}
	if got := body(t, res); got != "" {
		t.Errorf("a redirect has a body: %q", got)
	}
}

func TestHeadIsAnsweredWithTheLengthAndWithoutTheBody(t *testing.T) {
	a := newAnswers(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Page(w, r, 403, Content{Title: "You may not"})
	}))
	defer srv.Close()
	res, err := srv.Client().Head(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := body(t, res); got != "" || res.ContentLength <= 0 {
		t.Errorf("got body %q and length %d, want none and the page's", got, res.ContentLength)
	}
}

func TestRefuseChoosesBetweenPageAndProblem(t *testing.T) {
	a := newAnswers(t)
	refuse := func(w http.ResponseWriter, r *http.Request) {
		a.Refuse(w, r, 403, Problem{Code: "not-allowed"}, Content{Title: "You may not"})
	}
	for accept, want := range map[string]string{
		"text/html,*/*;q=0.8": "text/html; charset=utf-8",
		"application/json":    "application/problem+json",
		"*/*":                 "application/problem+json",
		"":                    "application/problem+json",
	} {
		res := ask("GET", http.Header{"Accept": {accept}}, refuse)
		if got := res.Header.Get("Content-Type"); got != want || res.StatusCode != 403 {
			t.Errorf("Accept %q: got %d %q, want 403 %q", accept, res.StatusCode, got, want)
		}
	}
}

func TestStyleIsReadOnly(t *testing.T) {
	a := newAnswers(t)
	res := ask("GET", nil, a.ServeStyle)
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/css; charset=utf-8" {
		t.Errorf("got %d %q", res.StatusCode, got)
	}
	if got := body(t, res); !bytes.Equal([]byte(got), styleSheet) {
		t.Error("the stylesheet is not served whole")
	}
	res = ask("POST", nil, a.ServeStyle)
	if got := res.Header.Get("Allow"); res.StatusCode != 405 || got != "GET, HEAD" {
		t.Errorf("POST: got %d, Allow %q", res.StatusCode, got)
	}
}

// golden compares text with testdata/name, or writes it there with -update.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
