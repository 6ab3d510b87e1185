package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is what a browser session keeps: who signed in, the tokens that the
// provider issued, and when. It is sealed under a key that only the cookie has.
type Record struct {
	// Identity is the person. In a record that was loaded its Until is Ends.
	Identity *Identity
	// AccessToken and RefreshToken are the provider's; either may be empty.
	AccessToken  string
	RefreshToken string
	// IDToken is kept as the id_token_hint of a sign-out at the provider (OpenID
	// Connect RP-Initiated Logout section 2).
	IDToken string
	// AccessExpiry is when the access token ends; zero when the provider did not say.
	AccessExpiry time.Time
	// FormerRefreshToken is the one that RefreshToken has taken the place of. A
	// provider whose reply was lost, or of which an older state of the store is left,
	// may still honour it.
	FormerRefreshToken string
	// Nonce is that of the login. A refreshed ID token has it or none (OpenID Connect
	// Core section 12.2).
	Nonce string
	// Checked is when the provider last vouched for the person. Start sets it.
	Checked time.Time
	// Created is when the session began; Start sets it when it is zero.
	Created time.Time
	// Seen is when the session was last used, coarsely: it is written through every
	// few minutes. Start sets it.
	Seen time.Time
	// Ends is when the session is over however much it is used. Start sets it to
	// the configured lifetime, or leaves an earlier time as it is.
	Ends time.Time
	// Address is the client's address at the login, and Browser a few words for what it
	// was: both are shown to the person. Either may be empty; what is long or cannot be
	// printed is left out of the session.
	Address, Browser string
}

// String hides the tokens and claims of the record.
func (Record) String() string { return "session record (hidden)" }

// GoString hides the tokens and claims of the record.
func (r Record) GoString() string { return r.String() }

// LogValue hides the tokens and claims of the record.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON refuses: a record leaves the process sealed or not at all.
func (Record) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a session record is not to be printed")
}

// samePerson compares who two identities are, not what is known about them.
func (id *Identity) samePerson(other *Identity) bool {
	return id.Provider == other.Provider && id.Issuer == other.Issuer && id.Subject == other.Subject
}

// recordVersion is the format of wireRecord and wireHead. A reader that meets
// another version treats the session as ended: its owner signs in again.
const recordVersion = 1

// wireRecord is the sealed form of a Record. Names are short because there are
// many of them; times are Unix milliseconds, 0 for none.
type wireRecord struct {
	Version      int                 `json:"v"`
	Provider     string              `json:"p"`
	Issuer       string              `json:"i"`
	Subject      string              `json:"s"`
	ClientID     string              `json:"c,omitempty"`
	Auth         Auth                `json:"a"`
	User         string              `json:"u,omitempty"`
	SignedIn     int64               `json:"si,omitempty"`
	Claims       json.RawMessage     `json:"cl"`
	Origins      map[Source][]string `json:"o,omitempty"` // by source: a few words instead of one for each claim
	AccessToken  string              `json:"at,omitempty"`
	RefreshToken string              `json:"rt,omitempty"`
	IDToken      string              `json:"it,omitempty"`
	AccessExpiry int64               `json:"ax,omitempty"`
	FormerToken  string              `json:"rf,omitempty"`
	Nonce        string              `json:"n,omitempty"`
	Checked      int64               `json:"ck,omitempty"`
	Created      int64               `json:"cr"`
	Ends         int64               `json:"en"`
}

// wireHead is what may be known about a session without its cookie: enough to
// write down that it was used, to end it when the provider says so, and to list
// it. It is sealed with the state directory's secret.
type wireHead struct {
	Version  int    `json:"v"`
	Provider string `json:"p"`
	Issuer   string `json:"i"`
	Subject  string `json:"s"`
	SID      string `json:"sid,omitempty"` // the provider's own session id (OpenID Connect Back-Channel Logout section 2.1)
	Created  int64  `json:"cr"`
	Seen     int64  `json:"se"`
	Ends     int64  `json:"en"`
	Address  string `json:"ip,omitempty"` // where the person signed in from
	Browser  string `json:"ua,omitempty"` // and with what
}

// head returns what of the record goes into its head. Its times are set.
func (r *Record) head() wireHead {
	id := r.Identity
	sid, _ := id.Claims.String("sid")
	return wireHead{
		Version: recordVersion, Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, SID: sid,
		Created: millis(r.Created), Seen: millis(r.Seen), Ends: millis(r.Ends),
		Address: shortText(r.Address), Browser: shortText(r.Browser),
	}
}

// shortText is a text for a list that people read, or nothing where it is not fit for
// one.
func shortText(text string) string {
	const longest = 64
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }) {
		return ""
	}
	return text
}

// check refuses a record that identifies nobody.
func (r *Record) check() error {
	switch id := r.Identity; {
	case id == nil:
		return errors.New("session record: no identity")
	case id.Auth != AuthBrowser:
		return fmt.Errorf("session record: expected an identity proved by %q, got %q", AuthBrowser, id.Auth)
	case id.Provider == "" || id.Issuer == "" || id.Subject == "":
		return errors.New("session record: provider, issuer or subject is empty")
	}
	return nil
}

func encodeRecord(r *Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	id := r.Identity
	claims := id.Claims
	if claims == nil {
		claims = Claims{}
	}
	raw, err := compactJSON(claims)
	if err != nil {
		return nil, fmt.Errorf("session record: claims: %w", err)
	}
	origins := make(map[Source][]string)
	for name, source := range id.Origins {
		origins[source] = append(origins[source], name)
	}
	for _, names := range origins {
		slices.Sort(names)
	}
	data, err := compactJSON(wireRecord{
		Version: recordVersion, Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject,
		ClientID: id.ClientID, Auth: id.Auth, User: id.User,
		SignedIn: millis(id.SignedIn), Claims: raw, Origins: origins,
		AccessToken: r.AccessToken, RefreshToken: r.RefreshToken, IDToken: r.IDToken,
		AccessExpiry: millis(r.AccessExpiry), Created: millis(r.Created), Ends: millis(r.Ends),
		FormerToken: r.FormerRefreshToken, Nonce: r.Nonce, Checked: millis(r.Checked),
	})
	if err != nil {
		return nil, fmt.Errorf("session record: %w", err)
	}
	return data, nil
}

func decodeRecord(data []byte) (*Record, error) {
	var w wireRecord
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, fmt.Errorf("session record: %w", err)
	}
	if w.Version != recordVersion {
		return nil, fmt.Errorf("session record: expected format version %d, got %d", recordVersion, w.Version)
	}
	claims, err := ParseClaims(w.Claims)
	if err != nil {
		return nil, fmt.Errorf("session record: %w", err)
	}
	origins := make(map[string]Source, len(claims))
	for source, names := range w.Origins {
		for _, name := range names {
			origins[name] = source
		}
	}
	r := &Record{
		Identity: &Identity{
			Provider: w.Provider, Issuer: w.Issuer, Subject: w.Subject, ClientID: w.ClientID,
			Auth: w.Auth, Claims: claims, Origins: origins, User: w.User,
			SignedIn: fromMillis(w.SignedIn), Until: fromMillis(w.Ends),
		},
		AccessToken: w.AccessToken, RefreshToken: w.RefreshToken, IDToken: w.IDToken,
		AccessExpiry: fromMillis(w.AccessExpiry), Created: fromMillis(w.Created), Ends: fromMillis(w.Ends),
		FormerRefreshToken: w.FormerToken, Nonce: w.Nonce, Checked: fromMillis(w.Checked),
	}
	return r, r.check()
}

func decodeHead(data []byte) (wireHead, error) {
	var h wireHead
	if err := json.Unmarshal(data, &h); err != nil {
		return wireHead{}, fmt.Errorf("session head: %w", err)
	}
	if h.Version != recordVersion {
		return wireHead{}, fmt.Errorf("session head: expected format version %d, got %d", recordVersion, h.Version)
	}
	return h, nil
}

// compactJSON leaves <, > and & as they are: nothing here is written into HTML,
// and six bytes for one are a waste.
func compactJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// earlier returns the earlier of two times, of which zero means none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
