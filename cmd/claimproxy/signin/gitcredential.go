package signin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// GitCredential answers git as a credential helper does (gitcredentials(7), git-credential(1)):
// the user name is the provider's id and the password is an access token, which the
// application takes on routes with accept_basic_token. What git asks for an origin without a
// login is not answered, so that git goes on to the next helper.
//
// The operations are get, store and erase; others are for helpers of later days and passed
// over, as the protocol wants it.
func (a *Agent) GitCredential(ctx context.Context, operation string, in io.Reader, out io.Writer) error {
	attributes, err := readAttributes(in)
	if err != nil {
		return err
	}
	u, err := parseAddress(attributes["protocol"] + "://" + attributes["host"])
	if err != nil || strings.ContainsAny(attributes["host"], `/?#\`) {
		return nil // not a place that a token may be sent to: git asks the next helper
	}
	origin := originOf(u)
	switch operation {
	case "get":
		t, err := a.token(ctx, origin)
		if errors.Is(err, errNotSignedIn) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.ContainsAny(t.Provider, "\n\x00") {
			return errors.New("the id of the provider is none")
		}
		answer := fmt.Sprintf("username=%s\npassword=%s\n", t.Provider, t.AccessToken)
		if !t.Expiry.IsZero() {
			answer += fmt.Sprintf("password_expiry_utc=%d\n", t.Expiry.Unix())
		}
		_, err = io.WriteString(out, answer)
		return err
	case "erase":
		// git says that the token was refused. The next one is a new one.
		return a.distrust(ctx, origin, attributes["password"])
	}
	return nil
}

// distrust has an access token renewed before the next use.
func (a *Agent) distrust(ctx context.Context, origin, token string) error {
	err := a.lockedLogin(ctx, origin, func() error {
		l, err := a.load(origin)
		if err != nil || l.Tokens.Access != token {
			return err
		}
		l.Tokens.Access = ""
		_, err = a.save(l)
		return err
	})
	if errors.Is(err, errNotSignedIn) {
		return nil
	}
	return err
}

// readAttributes reads lines of key=value up to an empty one. The last of a key counts.
func readAttributes(in io.Reader) (map[string]string, error) {
	attributes := make(map[string]string)
	lines := bufio.NewScanner(io.LimitReader(in, 1<<20))
	lines.Buffer(nil, 256<<10)
	for lines.Scan() && lines.Text() != "" {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("expected key=value from git, got %q", clean(lines.Text()))
		}
		attributes[key] = value
	}
	return attributes, lines.Err()
}
