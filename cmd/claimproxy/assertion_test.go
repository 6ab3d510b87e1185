package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestAnApplicationChecksWhoIsCalling by what is published, also for somebody who sends an
// assertion along, and after a restart of the configuration.
func TestAnApplicationChecksWhoIsCalling(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join(r.Header.Values("X-Claimproxy-Assertion"), " and "))
	}
	r := start(t, app, "", strings.Replace(routes, "path: /, ", "path: /, assertion: true, ", 1))
	r.signIn("ada")
	check := func() {
		t.Helper()
		status, token := r.ask("GET", r.public+"/closed")
		if status != 200 {
			t.Fatalf("got %d", status)
		}
		_, keys := r.ask("GET", r.public+"/.auth/jwks.json")
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(keys), &set); err != nil {
			t.Fatalf("%v in %s", err, keys)
		}
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		var c jwt.Claims
		var more struct {
			Provider string `json:"provider"`
			Auth     string `json:"auth"`
		}
		if err := parsed.Claims(set, &c, &more); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(jwt.Expected{Issuer: "http://localhost", AnyAudience: jwt.Audience{"http://localhost"}}); err != nil {
			t.Errorf("%v in %+v", err, c)
		}
		if c.Subject == "" || more.Provider != "idp" || more.Auth != "bearer" {
			t.Errorf("got %+v %+v", c, more)
		}
	}
	check()
	r.edit("developers: groups contains teams/a", "developers: groups contains any of [teams/a]")
	r.told(1, loadedAgain)
	check()
	r.stop()
}
