package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// testApplication is an application whose clock stands still and whose event
// stream never ticks of itself.
func testApplication() *Application {
	return NewApplication(ApplicationOptions{Now: noon, Tick: time.Hour})
}

// ask sends a request as the user with the groups, or as nobody.
func ask(t *testing.T, a *Application, method, target, user, groups, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if user != "" {
		r.Header.Set("X-Forwarded-User", user)
		r.Header.Set("X-Forwarded-Groups", groups)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestPageGreetsThePersonAndDrawsCharts(t *testing.T) {
	a := testApplication()
	w := ask(t, a, "GET", "/", "ada", "teams/kde-developers,websites/kde-org", "")
	for _, want := range []string{
		"Hello, ada.", "<code>teams/kde-developers</code>", "<code>websites/kde-org</code>", "26.08.2", "openSUSE Tumbleweed",
		`aria-label="Reports per week, by version"`, `href="/?product=org.kde.okular"`, `href="/.auth/sign-out"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not contain %s", want)
		}
	}
	if w := ask(t, a, "GET", "/?product=org.kde.okular", "ada", "", ""); !strings.Contains(w.Body.String(), "<title>Okular") {
		t.Error("the page of Okular does not say so")
	}
	if w := ask(t, a, "GET", "/", "", "", ""); !strings.Contains(w.Body.String(), "did not pass claimproxy") {
		t.Error("the page without identity headers does not say what that means")
	}
	if w := ask(t, a, "GET", "/?product=nothing", "ada", "", ""); w.Code != http.StatusNotFound {
		t.Errorf("unknown product: %d, want 404", w.Code)
	}
}

// TestPageShowsNoStrangersMarkup: everybody may submit reports, and names of groups
// and people are only as tame as the provider's users.
func TestPageShowsNoStrangersMarkup(t *testing.T) {
	a := testApplication()
	bad := `<script>alert(1)</script>`
	body, err := json.Marshal(map[string]any{
		"applicationVersion": map[string]any{"value": bad}, "qtVersion": map[string]any{"value": `"><svg onload=x>`},
		"platform": map[string]any{"os": bad, "version": "</title>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 { // so many that they are in every chart
		if w := ask(t, a, "POST", "/receiver/submit/org.kde.kate", "", "", string(body)); w.Code != http.StatusOK {
			t.Fatalf("submit: %d %s", w.Code, w.Body)
		}
	}
	w := ask(t, a, "GET", "/", bad, bad, "")
	for _, tag := range []string{"<script>", "<svg onload", "</title>\""} {
		if strings.Contains(w.Body.String(), tag) {
			t.Errorf("the page contains a stranger's %s", tag)
		}
	}
	if !strings.Contains(w.Body.String(), "&lt;script&gt;") {
		t.Error("the reports are not in the charts at all")
	}
}

func TestEveryAnswerHasAStrictPolicy(t *testing.T) {
	a := testApplication()
	for _, target := range []string{"/", "/telemetry.js", "/telemetry.css", "/analytics/products", "/nothing"} {
		h := ask(t, a, "GET", target, "ada", "", "").Header()
		if got := h.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'self'; script-src 'self'") {
			t.Errorf("%s: policy %q", target, got)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q, want nosniff", target, got)
		}
	}
}

func TestReceiverCountsReports(t *testing.T) {
	a := testApplication()
	if w := ask(t, a, "GET", "/receiver/submit/org.kde.kate", "", "", ""); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
		t.Errorf("probe: %d %q, want 200 ok", w.Code, w.Body)
	}
	before := ask(t, a, "GET", "/", "ada", "", "").Body.String()
	w := ask(t, a, "POST", "/receiver/submit/org.kde.kate", "", "", `{
		"applicationVersion": {"value": "27.04.0"}, "qtVersion": {"value": "6.12"},
		"platform": {"os": "linux", "version": "haiku"}, "startCount": {"value": 3}, "usageTime": {"value": 60},
		"screens": [{"width": 1920}]}`)
	if w.Code != http.StatusOK || w.Body.String() != `{"surveys":[]}`+"\n" {
		t.Errorf("submit: %d %s", w.Code, w.Body)
	}
	after := ask(t, a, "GET", "/", "ada", "", "").Body.String()
	if strings.Contains(before, "27.04.0") || !strings.Contains(after, "27.04.0") {
		t.Error("the new version is not in the charts after the report, or was before it")
	}
	var data []sample
	if err := json.Unmarshal(ask(t, a, "GET", "/analytics/data/org.kde.kate", "ada", "", "").Body.Bytes(), &data); err != nil {
		t.Fatal(err)
	}
	want := sample{Time: noon(), Version: "27.04.0", Platform: "linux haiku", Qt: "6.12", Starts: 3, Usage: 60}
	if diff := cmp.Diff(want, data[0]); diff != "" || len(data) != maxData {
		t.Errorf("the newest of %d (-want +got):\n%s", len(data), diff)
	}
}

func TestReceiverRefusesWhatItCannotCount(t *testing.T) {
	a := testApplication()
	for _, c := range []struct {
		name, target, body string
		want               int
	}{
		{"unknown product", "/receiver/submit/nothing", `{}`, http.StatusNotFound},
		{"no JSON", "/receiver/submit/org.kde.kate", `hello`, http.StatusBadRequest},
		{"a list", "/receiver/submit/org.kde.kate", `[]`, http.StatusBadRequest},
		{"a string for a number", "/receiver/submit/org.kde.kate", `{"startCount":{"value":"1"}}`, http.StatusBadRequest},
		{"too large", "/receiver/submit/org.kde.kate", `{"x":"` + strings.Repeat("x", maxReport) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		if w := ask(t, a, "POST", c.target, "", "", c.body); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
	for _, target := range []string{"/receiver", "/receiver/", "/receiver/submit/", "/shared/config.php"} {
		if w := ask(t, a, "GET", target, "", "", ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", target, w.Code)
		}
	}
	if w := ask(t, a, "PUT", "/receiver/submit/org.kde.kate", "", "", "{}"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d, want 405", w.Code)
	}
	if n := a.data.numbers().Submitted; n != 0 {
		t.Errorf("%d reports were counted, want none", n)
	}
}

func TestProductsAreAddedAndBounded(t *testing.T) {
	a := testApplication()
	create := func(body string) int { return ask(t, a, "POST", "/admin/products", "ben", "", body).Code }
	if got := create(`{"name":"org.kde.demo","title":"Demo"}`); got != http.StatusCreated {
		t.Errorf("new product: %d, want 201", got)
	}
	if got := create(`{"name":"org.kde.demo"}`); got != http.StatusConflict {
		t.Errorf("the same once more: %d, want 409", got)
	}
	if w := ask(t, a, "GET", "/", "ben", "", ""); !strings.Contains(w.Body.String(), "<title>Kate") {
		t.Error("a new product has become the first page, want Kate as before")
	}
	for _, name := range []string{"", "../etc", "Org.KDE", "a b", strings.Repeat("a", 61)} {
		if got := create(`{"name":"` + name + `"}`); got != http.StatusBadRequest {
			t.Errorf("name %q: %d, want 400", name, got)
		}
	}
	if w := ask(t, a, "GET", "/?product=org.kde.demo", "ben", "", ""); !strings.Contains(w.Body.String(), "no reports yet") {
		t.Error("the page of an empty product does not say that it is empty")
	}
	last := 0
	for i := range maxProducts {
		last = create(`{"name":"org.kde.p` + strings.Repeat("x", i+1) + `"}`)
	}
	if last != http.StatusConflict || len(a.data.list()) != maxProducts {
		t.Errorf("beyond the bound: %d with %d products, want 409 with %d", last, len(a.data.list()), maxProducts)
	}
}

// TestWhoamiTellsNoCredentials: it says that a token or cookie came through, and
// never which.
func TestWhoamiTellsNoCredentials(t *testing.T) {
	a := testApplication()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/whoami", nil)
	r.Header.Set("X-Forwarded-User", "ada")
	r.Header.Set("X-Forwarded-Groups", "a,b")
	r.Header.Set("Authorization", "Bearer secret-token")
	r.Header.Set("Cookie", "claimproxy=secret-cookie")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("whoami shows a credential: %s", w.Body)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"user": "ada", "email": "", "groups": []any{"a", "b"},
		"headers":                map[string]any{"X-Forwarded-User": []any{"ada"}, "X-Forwarded-Groups": []any{"a,b"}},
		"authorization_received": true, "cookies_received": []any{"claimproxy"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventsTellOfReportsAtOnce(t *testing.T) {
	a := testApplication()
	server := httptest.NewServer(a)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q, want text/event-stream", got)
	}
	lines := bufio.NewScanner(res.Body)
	next := func() (event string, n numbers) {
		t.Helper()
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				event = value
			case "data":
				if err := json.Unmarshal([]byte(value), &n); err != nil {
					t.Fatal(err)
				}
			case "":
				return event, n
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", n
	}
	if event, n := next(); event != "numbers" || n.Submitted != 0 || n.Products != 3 || n.Running < 1000 {
		t.Errorf("first event %s %+v", event, n)
	}
	ask(t, a, "POST", "/receiver/submit/org.kde.kate", "", "", `{}`)
	if event, n := next(); event != "report" || n.Submitted != 1 {
		t.Errorf("after a report: event %s %+v, want report with 1 submitted", event, n)
	}
}

func TestEchoAnswersItsOwnPagesOnly(t *testing.T) {
	server := httptest.NewServer(testApplication())
	defer server.Close()
	dial := func(origin string) (*websocket.Conn, error) {
		c, _, err := websocket.Dial(t.Context(), server.URL+"/ws", &websocket.DialOptions{
			HTTPClient: server.Client(), HTTPHeader: http.Header{"Origin": {origin}},
		})
		return c, err
	}
	if c, err := dial("https://evil.example"); err == nil {
		c.CloseNow()
		t.Error("a foreign page opened the websocket")
	}
	c, err := dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != "hello" {
		t.Errorf("echo: %q, %v, want hello", got, err)
	}
	if err := c.Write(t.Context(), websocket.MessageText, make([]byte, maxEcho+1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a message beyond the bound: %v, want status %v", err, websocket.StatusMessageTooBig)
	}
}

func TestSchemaHandshake(t *testing.T) {
	body, err := io.ReadAll(ask(t, testApplication(), "GET", "/analytics/check_schema", "ada", "", "").Body)
	if err != nil || string(body) != `{"protocolVersion":2}`+"\n" {
		t.Errorf("got %s, %v", body, err)
	}
}
