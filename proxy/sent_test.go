package proxy

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// longList is so many groups that only those that policies name are sent.
func longList(named ...any) []any {
	list := named
	for i := range 1000 {
		list = append(list, fmt.Sprintf("organisation/group-%d", i))
	}
	return list
}

// TestHeadersOfOneConfigurationAreNotSentUnderAnother: they are remembered with the
// identity, which outlives a reload.
func TestHeadersOfOneConfigurationAreNotSentUnderAnother(t *testing.T) {
	id := person(session.AuthBrowser, "jane", session.Claims{"groups": longList("before", "after"), "email": "jane@example.org"})
	table := func(headers ...IdentityHeader) *Table {
		table, err := NewTable([]Route{{Name: "a", Hosts: []string{"a.example"}, Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Headers: headers}})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	groups := IdentityHeader{Name: "X-Groups", Claim: "groups"}
	one := &Proxy{number: proxies.Add(1), values: valuer{named: map[string]bool{"before": true}}}
	other := &Proxy{number: proxies.Add(1), values: valuer{named: map[string]bool{"after": true}}}
	before, after := table(groups), table(groups, IdentityHeader{Name: "X-Mail", Claim: "email"})
	for range 2 {
		for _, test := range []struct {
			p            *Proxy
			t            *Table
			groups, mail string
		}{{one, before, "before", ""}, {other, before, "after", ""}, {other, after, "after", "jane@example.org"}, {one, after, "before", "jane@example.org"}} {
			h := http.Header{}
			test.p.setIdentity(h, test.t.routes[0], &Target{}, &Verdict{Identity: id})
			if h.Get("X-Groups") != test.groups || h.Get("X-Mail") != test.mail {
				t.Errorf("got %v, want %q and %q", h, test.groups, test.mail)
			}
		}
	}
}

// TestHeadersAreThoseOfTheIdentityAsItIsNow: when claims were fetched again there is
// another identity, and nothing of the one before it is sent.
func TestHeadersAreThoseOfTheIdentityAsItIsNow(t *testing.T) {
	e := &Entry{headers: make(planner).plan([]headerSource{{IdentityHeader: IdentityHeader{Name: "X-Groups", Claim: "groups"}}})}
	p := &Proxy{number: proxies.Add(1)}
	for _, want := range []string{"admins,staff", "staff"} {
		list := []any{"staff"}
		if want != "staff" {
			list = []any{"admins", "staff"}
		}
		id := person(session.AuthBrowser, "jane", session.Claims{"groups": list})
		for range 2 {
			h := http.Header{}
			p.setIdentity(h, e, &Target{}, &Verdict{Identity: id})
			if got := h.Get("X-Groups"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

// TestFewHeadersAreRemembered: however many routes there are with headers of their own,
// and whoever asks at the same time.
func TestFewHeadersAreRemembered(t *testing.T) {
	id := person(session.AuthBrowser, "jane", session.Claims{"groups": []any{"a", "b"}})
	p := &Proxy{number: proxies.Add(1)}
	plans := make(planner)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			name := fmt.Sprintf("X-%d", i)
			e := &Entry{headers: make(planner).plan([]headerSource{{IdentityHeader: IdentityHeader{Name: name, Claim: "groups"}}})}
			for range 20 {
				h := http.Header{}
				if p.setIdentity(h, e, &Target{}, &Verdict{Identity: id}); len(h) != 1 || h.Get(name) != "a,b" {
					t.Errorf("got %v", h)
				}
			}
		})
	}
	all.Wait()
	if n := len(*knownOf(id).sent.Load()); n > maxSent {
		t.Errorf("%d are remembered", n)
	}
	same := []headerSource{{IdentityHeader: IdentityHeader{Name: "X-A", Claim: "groups"}}}
	if first, second := plans.plan(same), plans.plan(same); first.steady != second.steady {
		t.Error("routes with the same headers do not share them")
	}
}
