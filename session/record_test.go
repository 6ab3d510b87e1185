package session

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testRecord() *Record {
	at := time.Date(2026, 11, 21, 12, 0, 0, 123e6, time.UTC)
	id := &Identity{
		Provider: "invent", Issuer: "https://invent.example.org", Subject: "42", ClientID: "web", Auth: AuthBrowser, User: "jane",
		Claims: Claims{
			"sub": "42", "sid": "s-1", "id": json.Number("9007199254740993"), "ratio": json.Number("1.50"),
			"html": "<a href='x'>&</a>\u2028", "groups": []any{"a", json.Number("1")}, "none": nil, "yes": true,
			"realm_access": map[string]any{"roles": []any{"admin"}},
		},
		Origins: map[string]Source{
			"sub": SourceIDToken, "sid": SourceIDToken, "id": SourceUserInfo, "ratio": SourceUserInfo, "html": SourceUserInfo,
			"groups": SourceUserInfo, "none": SourceUserInfo, "yes": SourceUserInfo, "realm_access": SourceUserInfo,
		},
		SignedIn: at,
	}
	id.SetVirtual()
	return &Record{
		Identity: id, AccessToken: "access-token", RefreshToken: "refresh-token", IDToken: "id-token",
		AccessExpiry: at.Add(2 * time.Hour), Created: at, Ends: at.Add(7 * 24 * time.Hour),
	}
}

// plainRecord is a record without the lock inside its identity.
func plainRecord(r *Record) map[string]any {
	id := r.Identity
	return map[string]any{
		"provider": id.Provider, "issuer": id.Issuer, "subject": id.Subject, "client": id.ClientID, "auth": id.Auth, "user": id.User,
		"claims": id.Claims, "origins": id.Origins, "signed in": id.SignedIn, "until": id.Until,
		"access": r.AccessToken, "refresh": r.RefreshToken, "id token": r.IDToken,
		"expiry": r.AccessExpiry, "created": r.Created, "seen": r.Seen, "ends": r.Ends,
	}
}

func TestRecordComesBackAsItWas(t *testing.T) {
	want := testRecord()
	data, err := encodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	want.Identity.Until = want.Ends // a session proves until it ends
	if diff := cmp.Diff(plainRecord(want), plainRecord(got)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	again, err := encodeRecord(got)
	if err != nil || string(again) != string(data) {
		t.Errorf("a second encoding differs: %v\n%s\n%s", err, data, again)
	}
}

func TestRecordIsCompact(t *testing.T) {
	rec := testRecord()
	rec.Identity.Claims = Claims{"sub": "42", "groups": []any{"teams/a", "teams/b"}}
	rec.Identity.Origins = map[string]Source{"sub": SourceIDToken, "groups": SourceUserInfo}
	data, err := encodeRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 400 {
		t.Errorf("a small record takes %d bytes, want no more than 400:\n%s", len(data), data)
	}
}

func TestRecordWithoutClaims(t *testing.T) {
	rec := testRecord()
	rec.Identity.Claims, rec.Identity.Origins = nil, nil
	data, err := encodeRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(data)
	if err != nil || got.Identity.Claims == nil || got.Identity.Origins == nil {
		t.Errorf("got %v, want empty maps that can be asked and added to", err)
	}
}

func TestRecordWithWhatIsNoJSONIsRefused(t *testing.T) {
	rec := testRecord()
	rec.Identity.Claims["f"] = func() {}
	if _, err := encodeRecord(rec); err == nil {
		t.Error("got no error")
	}
}

func TestDecodeRecordRefuses(t *testing.T) {
	good, err := encodeRecord(testRecord())
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) []byte {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return []byte(strings.Replace(string(good), old, new, 1))
	}
	for name, doc := range map[string][]byte{
		"nothing":               nil,
		"null":                  []byte("null"),
		"no object":             []byte("[]"),
		"an older version":      replace(`"v":1`, `"v":0`),
		"a newer version":       replace(`"v":1`, `"v":2`),
		"no subject":            replace(`"s":"42"`, `"s":""`),
		"no issuer":             replace(`"i":"https://invent.example.org"`, `"i":""`),
		"no provider":           replace(`"p":"invent"`, `"p":""`),
		"another kind of proof": replace(`"a":"browser"`, `"a":"client"`),
		"no claims":             replace(`"cl":{`, `"xx":{`),
		"claims with a key twice": replace(`"cl":{`,
			`"cl":{"sub":"admin",`),
		"something behind it": append(good[:len(good):len(good)], "{}"...),
	} {
		if rec, err := decodeRecord(doc); err == nil {
			t.Errorf("%s: got %v, want an error", name, plainRecord(rec))
		}
	}
	for n := range len(good) {
		if _, err := decodeRecord(good[:n]); err == nil {
			t.Fatalf("the first %d bytes: got no error", n)
		}
	}
}

// A record that finds its way into a log, an error or a page must not print.
func TestRecordDoesNotPrint(t *testing.T) {
	rec := testRecord()
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "record", rec, "value", *rec, "group", slog.GroupValue(slog.Any("r", rec)))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "record", rec, "value", *rec)
	h := newHandle()
	printed := log.String() + fmt.Sprintf("%v %+v %#v %s %q %x", rec, rec, rec, rec, rec, rec) +
		fmt.Sprintf("%v %+v %#v %s", *rec, *rec, *rec, *rec) + fmt.Sprintf("%v %+v %#v %s", h, h, h, &h)
	if _, err := json.Marshal(rec); err == nil {
		t.Error("json.Marshal: got no error")
	}
	if _, err := json.Marshal(struct{ R Record }{*rec}); err == nil {
		t.Error("json.Marshal of a value: got no error")
	}
	for _, secret := range []string{"access-token", "refresh-token", "id-token", "jane", "9007199254740993", fmt.Sprint(h.key[:]), fmt.Sprintf("%x", h.key)} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q shows in what was printed", secret)
		}
	}
}
