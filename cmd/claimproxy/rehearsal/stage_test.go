package rehearsal_test

import (
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
)

// stageOf makes a stage of a configuration with two providers and these routes.
func stageOf(t *testing.T, routes ...proxy.Route) *rehearsal.Stage {
	t.Helper()
	upstream := &proxy.Upstream{Name: "app", URLs: []*url.URL{&url.URL{Scheme: "http", Host: "127.0.0.1:1"}}}
	for i := range routes {
		routes[i].Name, routes[i].Hosts, routes[i].Upstream = routes[i].Path, []string{"app.example.org"}, upstream
	}
	table, err := proxy.NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{
		PublicURL: &url.URL{Scheme: "https", Host: "app.example.org"}, Endpoints: "/.auth",
		Providers: []config.Provider{
			{ID: "first", Name: "First", Issuer: "https://first.example", ClientID: "web", User: "preferred_username", UserPrefix: "first:"},
			{ID: "second", Name: "Second", Issuer: "https://second.example", ClientID: "web2", User: "preferred_username"},
		},
	}
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	stage, err := rehearsal.New(cfg, table, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

func rule(t *testing.T, text string) *policy.Rule {
	t.Helper()
	set, _ := policy.Compile(nil)
	r, faults := set.Rule(policy.Clause{Text: text})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return r
}

func get(path string) rehearsal.Request {
	return rehearsal.Request{Method: "GET", Host: "app.example.org", Target: path, From: netip.MustParseAddr("192.0.2.1")}
}

// TestPeopleAreMadeAsLoginsAndTokensMakeThem: with a subject, the virtual claims and
// the name that applications see, and nothing that only claimproxy may say.
func TestPeopleAreMadeAsLoginsAndTokensMakeThem(t *testing.T) {
	s := stageOf(t, proxy.Route{Path: "/", SignIn: proxy.Browser | proxy.Bearer, Allow: rule(t, "signed-in")})
	for name, c := range map[string]struct {
		who  rehearsal.Person
		want session.Claims
		user string
	}{
		"with a browser": {
			rehearsal.Known(map[string]any{"preferred_username": "ann"}, session.AuthBrowser),
			session.Claims{"preferred_username": "ann", "provider": "first", "client_id": "web", "auth": "browser", "sub": "somebody"}, "first:ann",
		},
		"with a token of another provider and client": {
			rehearsal.Known(map[string]any{"provider": "second", "client_id": "tool", "preferred_username": "ann"}, session.AuthBearer),
			session.Claims{"preferred_username": "ann", "provider": "second", "client_id": "tool", "auth": "bearer", "sub": "somebody"}, "ann",
		},
		"who claims to be something else": {
			rehearsal.Known(map[string]any{"auth": "client", "provider": "nobody's"}, session.AuthBearer),
			session.Claims{"provider": "first", "client_id": "web", "auth": "bearer", "sub": "somebody"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := s.Ask(get("/"), c.who)
			if f.Decision() != config.ExpectAllow {
				t.Fatalf("got %s", f.Summary())
			}
			id := f.Verdict.Identity
			if diff := cmp.Diff(c.want, id.Claims); diff != "" || id.User != c.user || id.Subject == "" {
				t.Errorf("user %q, subject %q, claims (-want +got):\n%s", id.User, id.Subject, diff)
			}
		})
	}
}

func TestProgramAloneIsNotSignedIn(t *testing.T) {
	s := stageOf(t, proxy.Route{Path: "/machines", SignIn: proxy.Bearer, Allow: rule(t, "auth is client and client_id is scraper")},
		proxy.Route{Path: "/", SignIn: proxy.Bearer, Allow: rule(t, "signed-in")})
	program := rehearsal.Known(map[string]any{"client_id": "scraper"}, session.AuthClient)
	if got := s.Ask(get("/x"), program).Decision(); got != config.ExpectDeny {
		t.Errorf("signed-in: got %s", got)
	}
	if got := s.Ask(get("/machines"), program).Decision(); got != config.ExpectAllow {
		t.Errorf("by policy: got %s", got)
	}
}

// TestKindsThatARouteDoesNotTakeCountForNothing as they do for the proxy.
func TestKindsThatARouteDoesNotTakeCountForNothing(t *testing.T) {
	s := stageOf(t,
		proxy.Route{Path: "/programs/", SignIn: proxy.Bearer, Allow: rule(t, "signed-in")},
		proxy.Route{Path: "/people/", SignIn: proxy.Browser, Allow: rule(t, "signed-in")},
		proxy.Route{Path: "/", SignIn: proxy.Browser | proxy.Bearer, Allow: rule(t, "signed-in")})
	for path, want := range map[string]map[session.Auth]config.Expectation{
		"/programs/x": {session.AuthBrowser: config.ExpectSignIn, session.AuthBearer: config.ExpectAllow},
		"/people/x":   {session.AuthBrowser: config.ExpectAllow, session.AuthBearer: config.ExpectSignIn},
		"/x":          {session.AuthBrowser: config.ExpectAllow, session.AuthBearer: config.ExpectAllow},
	} {
		for kind, want := range want {
			if got := s.Ask(get(path), rehearsal.Known(nil, kind)).Decision(); got != want {
				t.Errorf("%s with %s: got %s, want %s", path, kind, got, want)
			}
		}
	}
	for path, want := range map[string][]session.Auth{
		"/programs/x": {session.AuthBearer}, "/people/x": {session.AuthBrowser}, "/x": {session.AuthBrowser, session.AuthBearer},
	} {
		if diff := cmp.Diff(want, s.Kinds(get(path))); diff != "" {
			t.Errorf("kinds of %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestWhoMayWhat is the list of an access review.
func TestWhoMayWhat(t *testing.T) {
	s := stageOf(t, proxy.Route{Path: "/", SignIn: proxy.Browser | proxy.Bearer, Rules: []proxy.MethodRule{
		{Methods: []string{"GET"}, Allow: rule(t, "signed-in")}, {Methods: []string{"PUT"}, Allow: rule(t, "groups contains editors")},
	}})
	at := get("/x")
	methods := s.Methods(at)
	if diff := cmp.Diff([]string{"GET", "HEAD", "PUT"}, methods); diff != "" {
		t.Fatalf("methods (-want +got):\n%s", diff)
	}
	people := []config.Person{{Name: "ann", Claims: map[string]any{"groups": []any{"editors"}}}, {Name: "bob"}}
	var got []string
	for _, a := range s.Who(at, []string{"GET", "PUT"}, people) {
		got = append(got, a.Person+" "+string(a.Auth)+" "+a.Method+" "+string(a.Decision)+" "+a.Reason)
	}
	want := []string{
		"  GET sign-in no-credentials", "  PUT sign-in no-credentials",
		"ann browser GET allow signed-in", "ann browser PUT allow policy", "ann bearer GET allow signed-in", "ann bearer PUT allow policy",
		"bob browser GET allow signed-in", "bob browser PUT deny not-allowed", "bob bearer GET allow signed-in", "bob bearer PUT deny not-allowed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTargetsReachTheProxyAsTheyAre: what is ambiguous to it must be so here.
func TestTargetsReachTheProxyAsTheyAre(t *testing.T) {
	s := stageOf(t, proxy.Route{Path: "/", Allow: rule(t, "public")})
	const app = "app.example.org"
	for _, c := range []struct {
		host, target string
		want         proxy.Reason
	}{
		{app, "/a%20b", "public"}, {app, "/a%2fb", proxy.ReasonBadTarget}, {app, "/a/../b", proxy.ReasonBadTarget},
		{app, "//b", proxy.ReasonBadTarget}, {app, "/a%", proxy.ReasonBadTarget}, {app, "/a?%", "public"}, {app, "", proxy.ReasonBadTarget},
		{"APP.example.org.:8443", "/", "public"}, {"other.example.org", "/", proxy.ReasonNoRoute}, {"a b", "/", proxy.ReasonBadHost},
		{app, "/.auth/me", ""},
	} {
		f := s.Ask(rehearsal.Request{Method: "GET", Host: c.host, Target: c.target}, rehearsal.Person{})
		if f.Verdict.Reason != c.want || f.Own != (c.want == "") {
			t.Errorf("%s%s: got %q, own %v, want %q", c.host, c.target, f.Verdict.Reason, f.Own, c.want)
		}
	}
}

// TestEveryPersonHasASubject, as every login and every token of a person has, so that
// a condition on it comes out as it will.
func TestEveryPersonHasASubject(t *testing.T) {
	s := stageOf(t, proxy.Route{Path: "/", SignIn: proxy.Browser | proxy.Bearer, Allow: rule(t, `not sub is "42"`)})
	claims := map[string]any{}
	for kind, want := range map[session.Auth]config.Expectation{
		session.AuthBrowser: config.ExpectAllow, session.AuthBearer: config.ExpectAllow, session.AuthClient: config.ExpectDeny,
	} {
		if got := s.Ask(get("/"), rehearsal.Known(claims, kind)).Decision(); got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	if len(claims) > 0 {
		t.Errorf("the person's own claims were changed: %v", claims)
	}
}
