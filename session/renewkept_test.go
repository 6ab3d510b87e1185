package session_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

type renewing func(rec *session.Record, keep func(*session.Record)) (*session.Record, error)

func (f renewing) Renew(_ context.Context, rec *session.Record, keep func(*session.Record)) (*session.Record, error) {
	return f(rec, keep)
}

// A provider may take the old tokens for lost as soon as the new ones are used: by then
// they are written down, so that who dies in the middle of it has signed nobody out.
func TestRotatedTokensAreKeptBeforeTheyAreUsed(t *testing.T) {
	f := openFile(t, t.TempDir())
	now := time.Now()
	var cookie string
	after := openStore(t, f) // as another process finds it
	wantToken := func(want string) {
		t.Helper()
		if rec, err := after.Record(requestWith(cookie)); err != nil || rec.RefreshToken != want {
			t.Errorf("got %v, %v; want a record with the token %s", rec, err, want)
		}
	}
	dies := true
	s := openStore(t, f, func(o *session.StoreOptions) {
		o.Now = func() time.Time { return now }
		o.Recheck, o.Grace = time.Minute, 30*time.Minute
		o.Renewer = renewing(func(rec *session.Record, keep func(*session.Record)) (*session.Record, error) {
			if rec.RefreshToken == "first" {
				rec.RefreshToken, rec.FormerRefreshToken = "second", "first"
				keep(rec)
			}
			wantToken("second")
			if dies {
				panic("as good as kill -9")
			}
			// Who comes later knows more, and takes the place of what was kept.
			fresh := storetest.Person("jane")
			fresh.Identity.Claims = session.Claims{"sub": "jane", "groups": []any{"new"}}
			rec.Identity, rec.RefreshToken = fresh.Identity, "third"
			return rec, nil
		})
	})
	rec := storetest.Person("jane")
	rec.RefreshToken = "first"
	w := httptest.NewRecorder()
	if err := s.Start(w, requestWith(""), rec); err != nil {
		t.Fatal(err)
	}
	cookie = w.Result().Cookies()[0].Value
	now = now.Add(2 * time.Minute)
	wantPerson(t, s, cookie, "jane") // within the grace
	wantToken("second")
	dies = false
	now = now.Add(time.Minute)
	wantPerson(t, s, cookie, "jane")
	wantToken("third")
	if id, err := after.Identify(requestWith(cookie)); err != nil || len(id.Claims) != 2 {
		t.Errorf("got %v, %v; want the new claims", id, err)
	}
}
