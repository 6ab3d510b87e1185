package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// kuserfeedback is KDE's telemetry: a receiver for everybody, an interface for
// developers, and files that are nobody's business.
const kuserfeedback = `routes:
  - {path: /receiver/submit/, methods: [GET, POST], upstream: recorder, allow: public}
  - {path: /analytics/, upstream: recorder, allow: developers}
  - {path: /admin/, upstream: recorder, allow: developers}
  - {path: /shared/, upstream: recorder, allow: nobody}
  - {path: /config/, upstream: recorder, allow: nobody}
  - {path: /data/, upstream: recorder, allow: nobody}
  - {path: /, upstream: recorder, allow: developers}
`

// TestTheSecurityScanOfUserFeedbackConsoleIsContent goes through the paths that the
// program calls without credentials and complains about unless they are closed; and it
// goes there with a browser's headers as well, since its network library says that it is
// one.
func TestTheSecurityScanOfUserFeedbackConsoleIsContent(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	before, _, _ := strings.Cut(s.config, "routes:")
	s.config = before + kuserfeedback
	s.start()
	for _, path := range []string{
		"", ".htaccess", "admin", "admin/index.php", "analytics", "analytics/index.php", "analytics/products", "config",
		"config/localconfig.php", "data", "receiver", "receiver/index.php", "shared", "shared/config.php", "shared/schema.json",
	} {
		for _, agent := range []string{"UserFeedbackConsole/1.0", "Mozilla/5.0"} {
			a := get(t, s.url+"/"+path, "User-Agent: "+agent)
			if a.status != http.StatusUnauthorized && a.status != http.StatusForbidden || a.location() != nil || a.header.Get("Set-Cookie") != "" {
				t.Errorf("GET /%s: got status %d %v, want 401 or 403 and nothing else", path, a.status, a.header)
			}
		}
	}
	if upstream.count() != 0 {
		t.Errorf("%d of the scan's requests reached the application", upstream.count())
	}
	// The library looks first and posts to where it was answered.
	get(t, s.url+"/receiver/submit/org.kde.kate").wantStatus(t, http.StatusOK)
	sent := request(t, http.MethodPost, s.url+"/receiver/submit/org.kde.kate", strings.NewReader(`{"startCount":42}`), "Content-Type: application/json")
	if got := send(t, plainClient, sent).arrival(t); got.Body != `{"startCount":42}` {
		t.Errorf("the application got %q", got.Body)
	}
	// With a token the very same paths open for developers, and those of nobody stay shut.
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	s.bearer("/analytics/products", token).wantStatus(t, http.StatusOK)
	s.bearer("/shared/config.php", token).wantProblem(t, http.StatusForbidden, "nobody")
}
