package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Options are what a person may say about signing in.
type Options struct {
	// Provider is the id of the provider, needed where the application has several.
	Provider string
	// Device signs in with a browser on another device (RFC 8628).
	Device bool
	// NoBrowser leaves it to the person to open the address.
	NoBrowser bool
	// Resource is what the token is to be for, where the provider wants to be told (RFC 8707)
	// and the application does not say.
	Resource string
	// Trust is that the application may get a token that another one takes as well, and that
	// its provider is known.
	Trust bool
}

// Login signs a person in to the application at an address, and keeps what comes of it in the
// place of an earlier login.
func (a *Agent) Login(ctx context.Context, address string, o Options) error {
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	r, err := a.discover(ctx, u)
	if err != nil {
		return err
	}
	choice, err := r.choose(o.Provider)
	if err != nil {
		return err
	}
	l := &login{Origin: r.origin, Provider: choice.ID, Issuer: choice.Issuer, ClientID: choice.ClientID, Scopes: choice.Scopes, Resource: cmp.Or(o.Resource, choice.Resource), ProviderHeader: choice.ProviderHeader}
	if err := a.mayHaveToken(l, o.Trust); err != nil {
		return err
	}
	p, err := a.provider(ctx, l.Issuer, l.ClientID, l.Scopes, l.Resource)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Say, "%s signs people in with %s (%s), and asks for %s.\n\n", r.origin, clean(choice.Name), clean(choice.Issuer), clean(strings.Join(choice.Scopes, " ")))
	var t *oauth2.Token
	var name string
	if o.Device {
		t, name, err = a.onDevice(ctx, p)
	} else {
		t, name, err = a.inBrowser(ctx, p, choice.RedirectURI, !o.NoBrowser)
	}
	if err != nil {
		return err
	}
	l.Tokens = tokensOf(t)
	var why error
	if err := a.locked(context.WithoutCancel(ctx), l.Origin, func() (err error) {
		why, err = a.save(l)
		return err
	}); err != nil {
		return fmt.Errorf("you are signed in, and the tokens cannot be kept: %w", err)
	}
	a.tell(l, name, why)
	return nil
}

// mayHaveToken asks the person before an application gets a token that another one takes as
// well, since whoever runs it could use the token there. It is usual where one installation
// serves several hosts, and a theft where a stranger's page names the client of somebody
// else's application.
//
// It also asks before somebody who has logins signs in at a provider that none of them is at:
// a stranger's own can lead the browser on to one of the others, where nobody is asked any
// more, and take the code that comes back (the mix-up attack, RFC 9700 section 4.4). Providers
// that say who they are when they answer (RFC 9207) are told apart by that, and not all do.
func (a *Agent) mayHaveToken(l *login, trust bool) error {
	before, err := a.read(a.file(l.Origin))
	if err == nil && before.sameKind(l) {
		return nil // it has had one
	}
	others := a.others(l.Origin)
	for _, other := range others {
		if !other.sameKind(l) {
			continue
		}
		if trust || a.Confirm(fmt.Sprintf("%s asks for the same kind of token as %s: whoever runs the one can use it at the other. Do they belong together?", l.Origin, clean(other.Origin))) {
			return nil
		}
		return fmt.Errorf("%s asks for the same kind of token as %s, and whoever runs it could use it there: if they belong together say --trust", l.Origin, clean(other.Origin))
	}
	if known := slices.ContainsFunc(append(others, before), func(other *login) bool { return other != nil && other.Issuer == l.Issuer }); known || len(others) == 0 || trust {
		return nil
	}
	if a.Confirm(fmt.Sprintf("%s has you sign in at %s, where you have not signed in so far: a provider that is a stranger's could take what you are given at another one. Do you know it?", l.Origin, clean(l.Issuer))) {
		return nil
	}
	return fmt.Errorf("%s has you sign in at %s, where you have not signed in so far, and a stranger's provider could take what you are given at another one: if you know it say --trust", l.Origin, clean(l.Issuer))
}

// sameKind says whether the tokens of two logins may be good for the same applications. What
// they are said to be for is no difference: that is said by the application.
func (l *login) sameKind(other *login) bool {
	return l.Issuer == other.Issuer && l.ClientID == other.ClientID
}

// tell says what has come of a login.
func (a *Agent) tell(l *login, name string, why error) {
	as := ""
	if name != "" {
		as = " as " + name
	}
	fmt.Fprintf(a.Say, "You are signed in at %s%s.\n", l.Origin, as)
	what := "The refresh token is"
	if l.Tokens.Refresh == "" {
		what = "The provider gave no refresh token. The access token is"
		if !l.Tokens.Expiry.IsZero() {
			what = fmt.Sprintf("The provider gave no refresh token: sign in again at %s. The access token is", l.Tokens.Expiry.Local().Format(time.TimeOnly))
		}
	}
	if l.InKeyring {
		fmt.Fprintf(a.Say, "%s in the keyring.\n", what)
		return
	}
	fmt.Fprintf(a.Say, "%s in %s, readable by you alone: no keyring takes it (%s).\n", what, a.file(l.Origin), clean(why.Error()))
}

// Logout ends the login of an address: at the provider, where it can be told, and here in any
// case.
func (a *Agent) Logout(ctx context.Context, address string) error {
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	origin := originOf(u)
	return a.lockedLogin(ctx, origin, func() error {
		l, err := a.load(origin)
		if errors.Is(err, errNotSignedIn) {
			return err // another process was faster
		}
		if err != nil { // its tokens are gone, or cannot be read
			if l, err = a.read(a.file(origin)); err != nil {
				return os.Remove(a.file(origin))
			}
		}
		told := a.revoke(ctx, l)
		if err := a.forget(l); err != nil {
			return err
		}
		if told != nil {
			fmt.Fprintf(a.Say, "You are signed out of %s on this machine. The provider was not told, so that the tokens go on until they end: %v.\n", origin, told)
			return nil
		}
		fmt.Fprintf(a.Say, "You are signed out of %s.\n", origin)
		return nil
	})
}

func (a *Agent) revoke(ctx context.Context, l *login) error {
	if l.Tokens == nil {
		return errors.New("they are not here")
	}
	p, err := a.provider(ctx, l.Issuer, l.ClientID, l.Scopes, l.Resource)
	if err != nil {
		return err
	}
	token := l.Tokens.Refresh
	if token == "" {
		token = l.Tokens.Access
	}
	return p.revoke(ctx, token)
}
