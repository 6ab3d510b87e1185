package login

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// says has the provider vouch for sign-ins in this way: claims of its ID tokens.
func (s *site) says(claims map[string]any) {
	s.idp.Rewrite(devprovider.IDTokenClaims, func(all map[string]any) {
		for name, v := range claims {
			all[name] = v
		}
	})
}

const stronger = "&acr_values=gold+platinum&max_age=3600"

// TestSteppingUpAsksTheProviderAndChecksWhatComesBack: of a person who is known, and at
// their own provider.
func TestSteppingUpAsksTheProviderAndChecksWhatComesBack(t *testing.T) {
	s := newSite(t, func(set *setup) {
		set.more = []provider.Config{{ID: "other", Issuer: "https://other.example", Client: provider.Client{ID: "x"}, RedirectURI: "https://x.example/"}}
	})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	p := b.open("/.auth/sign-in?return_to=/graph" + stronger).want(http.StatusFound)
	p = b.follow(p).want(http.StatusFound)
	q := p.location().Query()
	if q.Get("acr_values") != "gold platinum" || q.Get("max_age") != "3600" || q.Get("prompt") != "" {
		t.Fatalf("the provider is asked %v", q)
	}
	s.says(map[string]any{"acr": "platinum"})
	b.open(b.comeBack(p).String()).wantTo(s, "/graph")
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada", got)
	}
}

// TestASignInThatIsNotEnoughEndsOnAPage, and not in another one: the page that needs more
// would send the person back at once.
func TestASignInThatIsNotEnoughEndsOnAPage(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"another acr":       {"acr": "silver"},
		"no acr":            {},
		"a list of them":    {"acr": []string{"gold"}},
		"long ago":          {"acr": "gold", "auth_time": time.Date(2026, 11, 21, 10, 59, 59, 0, time.UTC).Unix()},
		"in the future":     {"acr": "gold", "auth_time": time.Date(2026, 11, 21, 12, 2, 0, 0, time.UTC).Unix()},
		"at no time":        {"acr": "gold", "auth_time": nil},
		"at a time of text": {"acr": "gold", "auth_time": "1795262400"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.says(claims)
			b := s.browser()
			p := b.open("/.auth/start/invent?return_to=/graph" + stronger).want(http.StatusFound)
			back := b.comeBack(p)
			b.wantHelp(b.open(back.String()), http.StatusForbidden, "This sign-in is not enough", "%2Fgraph")
			if b.session() != nil {
				t.Error("there is a session all the same")
			}
		})
	}
	s := newSite(t)
	s.says(map[string]any{"acr": "silver"})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	p := b.open(b.comeBack(b.open("/.auth/start/invent?return_to=/graph" + stronger)).String()).want(http.StatusForbidden)
	if strings.Contains(p.body, "Go on") {
		t.Error("a person who is signed in is offered to go on, which leads to the same page")
	}
	s.says(map[string]any{"acr": "gold"})
	b.open(b.comeBack(b.open("/.auth/start/invent?return_to=/graph"+stronger)).String()).wantTo(s, "/graph")
}

// TestSteppingUpDoesNotLoop: when a page wants what the person has brought already, another
// sign-in is no use, and nobody is sent round.
func TestSteppingUpDoesNotLoop(t *testing.T) {
	s := newSite(t)
	s.says(map[string]any{"acr": "gold"})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	asked := s.idp.Calls(devprovider.Authorization)
	for _, target := range []string{"/.auth/start/invent?return_to=/graph" + stronger, "/.auth/start/invent?return_to=/graph&acr_values=gold"} {
		p := b.open(target).want(http.StatusForbidden)
		if !strings.Contains(p.body, "does not help") || !strings.Contains(p.body, `href="/graph"`) {
			t.Errorf("%s: got\n%s", target, p.body)
		}
	}
	// As somebody else it may be.
	b.open("/.auth/start/invent?return_to=/graph&prompt=select_account&acr_values=gold").want(http.StatusFound)
	// An hour later the same link is some use.
	s.clock.Advance(time.Hour + time.Second)
	b.open("/.auth/start/invent?return_to=/graph" + stronger).want(http.StatusFound)
	if got := s.idp.Calls(devprovider.Authorization); got != asked {
		t.Errorf("the provider was asked %d times", got-asked)
	}
}

// TestLinksThatDemandNonsense demand nothing: anybody can write one.
func TestLinksThatDemandNonsense(t *testing.T) {
	s := newSite(t)
	for _, query := range []string{
		"acr_values=" + strings.Repeat("x", maxACR+1), "acr_values=%0d%0ax", "acr_values=g%C3%B6ld", "acr_values=+", "max_age=-1", "max_age=0", "max_age=x", "max_age=99999999999",
		"max_age=", "acr_values=",
	} {
		q := s.browser().open("/.auth/start/invent?return_to=/&" + query).want(http.StatusFound).location().Query()
		if q.Has("acr_values") || q.Has("max_age") {
			t.Errorf("%.60s: the provider is asked %v", query, q)
		}
	}
}

// TestAProviderThatCannotSaysSo (OpenID Connect Core Error Code unmet_authentication_requirements).
func TestAProviderThatCannotSaysSo(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	p := b.open("/.auth/start/invent?return_to=/graph" + stronger).want(http.StatusFound)
	state := p.location().Query().Get("state")
	b.wantHelp(b.open("/.auth/callback/invent?error=unmet_authentication_requirements&state="+state), http.StatusForbidden, "cannot sign you in as strongly")
}
