package devprovider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// begin has a device wait, and returns its codes and how it asks.
func begin(t *testing.T, s *devprovider.Server) (userCode string, poll func() reply) {
	t.Helper()
	a := post(t, s.URL+"/oauth/authorize_device", "native", "", "scope", "openid profile").object(t)
	userCode, _ = a["user_code"].(string)
	code, _ := a["device_code"].(string)
	if userCode == "" || code == "" || a["verification_uri"] != s.URL+"/oauth/device" || a["interval"] != 1.0 || a["expires_in"] != 600.0 {
		t.Fatalf("got %v", a)
	}
	return userCode, func() reply {
		return post(t, s.URL+"/oauth/token", "native", "", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", code)
	}
}

func TestSomebodySignsInForADevice(t *testing.T) {
	s := start(t)
	userCode, poll := begin(t, s)
	if a := poll(); a.status != http.StatusBadRequest || a.object(t)["error"] != "authorization_pending" {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := get(t, s.URL+"/oauth/device", ""); a.status != http.StatusOK || !strings.Contains(a.body, `name="user_code"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := get(t, s.URL+"/oauth/device?user_code="+strings.ToLower(userCode), ""); !strings.Contains(a.body, `value="ada"`) {
		t.Errorf("the page does not ask who it is: %s", a.body)
	}
	if a := post(t, s.URL+"/oauth/device", "", "", "user_code", userCode, "person", "ada"); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	tokens := poll()
	access, _ := tokens.object(t)["access_token"].(string)
	if who := get(t, s.URL+"/oauth/userinfo", access).object(t); who["preferred_username"] != "ada" {
		t.Errorf("got %v", who)
	}
	if a := poll(); a.object(t)["error"] != "invalid_grant" {
		t.Errorf("a second use got %s", a.body)
	}
	if s.VerifyDevice(userCode, "eve") {
		t.Error("a code that was used is used again")
	}
}

func TestADeviceIsRefused(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *devprovider.Options) { o.Now = clock.Now })
	userCode, poll := begin(t, s)
	if a := post(t, s.URL+"/oauth/device", "", "", "user_code", "NOTHERE1", "person", "ada"); a.status != http.StatusBadRequest {
		t.Errorf("a code that nobody has: got %d", a.status)
	}
	if !s.VerifyDevice(userCode, "") {
		t.Fatal("no such device")
	}
	if a := poll(); a.object(t)["error"] != "access_denied" {
		t.Errorf("got %s", a.body)
	}
	userCode, poll = begin(t, s)
	clock.Advance(11 * time.Minute)
	if a := poll(); a.object(t)["error"] != "expired_token" || s.VerifyDevice(userCode, "ada") {
		t.Errorf("got %s", a.body)
	}
	if a := post(t, s.URL+"/oauth/authorize_device", "nobody", ""); a.status != http.StatusUnauthorized {
		t.Errorf("an unknown client got %d", a.status)
	}
}
