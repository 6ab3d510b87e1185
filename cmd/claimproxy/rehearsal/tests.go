package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// Results is what running the tests of a configuration came to.
type Results struct {
	// Run counts what was asked: each request of each test, for each person and each
	// kind of credentials.
	Run int
	// Failures are the tests that did not come out as expected.
	Failures []Failure
	// Covered are the names of the policies that took part in a rule that was asked
	// about somebody: whom they let in, nobody known says nothing about.
	Covered map[string]bool
}

// Failure is a test that did not come out as expected.
type Failure struct {
	// At is where the request stands in the file, and Path its key.
	At   policy.Position
	Path string
	// Message shows request, person, what was expected, what came of it, and why.
	Message string
}

// RunTests asks what the tests of the configuration ask.
func (s *Stage) RunTests() Results {
	r := Results{Covered: map[string]bool{}}
	for i := range s.config.Tests {
		t := &s.config.Tests[i]
		for j := range t.Requests {
			req := &t.Requests[j]
			asked := Request{Method: req.Method, Host: s.hostOf(req), Target: req.Path, From: t.From}
			for _, c := range s.callers(t, asked) {
				r.Run++
				f := s.Ask(asked, c.Person)
				if f.Verdict.Identity != nil {
					for _, name := range f.Route.Rule(req.Method).Policies() {
						r.Covered[name] = true
					}
				}
				if wrong := mismatch(t, f); wrong != "" {
					at, path := s.config.Place(req)
					r.Failures = append(r.Failures, Failure{At: at, Path: path, Message: fmt.Sprintf("%s %s: %s", req.Text, c.name, wrong)})
				}
			}
		}
	}
	return r
}

// caller is a person with the words that a failure is told in.
type caller struct {
	Person
	name string
}

// callers are all that a test is about: each person, with each kind of credentials
// that the route takes unless the test says which, and nobody when it names no
// person.
func (s *Stage) callers(t *config.Test, asked Request) []caller {
	type named struct {
		name   string
		claims map[string]any
	}
	var people []named
	if t.Claims != nil {
		people = append(people, named{"with these claims", t.Claims})
	}
	for _, name := range t.As {
		i := slices.IndexFunc(s.config.People, func(p config.Person) bool { return p.Name == name })
		people = append(people, named{"as " + name, s.config.People[i].Claims})
	}
	if len(people) == 0 {
		return []caller{{name: "as nobody"}}
	}
	kinds := s.Kinds(asked)
	if t.Auth != "" {
		kinds = []session.Auth{session.Auth(t.Auth)}
	}
	var all []caller
	for _, p := range people {
		for _, kind := range kinds {
			all = append(all, caller{Known(p.claims, kind), fmt.Sprintf("%s (%s)", p.name, kind)})
		}
	}
	return all
}

// hostOf is the host of a test's request, as it stands in a request's head.
func (s *Stage) hostOf(r *config.TestRequest) string {
	switch {
	case r.Host == s.config.PublicURL.Hostname():
		return s.config.PublicURL.Host
	case strings.Contains(r.Host, ":"):
		return "[" + r.Host + "]"
	}
	return r.Host
}

// mismatch says in what a finding is not what the test expects; "" for nothing.
func mismatch(t *config.Test, f Finding) string {
	if f.Own {
		return "this is one of claimproxy's own pages, which no rule decides about"
	}
	if got := f.Decision(); got != t.Expect {
		return fmt.Sprintf("expected %s, got %s", t.Expect, f.Summary())
	}
	if t.Because != "" && !slices.Contains(f.reasons(), t.Because) {
		return fmt.Sprintf("expected %s because %s, got %s", t.Expect, t.Because, f.Summary())
	}
	return ""
}

// Summary is a finding in one line: the decision, the reason word, the policy, and
// what was needed.
func (f Finding) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s", f.Decision(), f.Verdict.Reason)
	if p := f.Verdict.Decision.Policy; p != "" {
		fmt.Fprintf(&b, ", %s", p)
	}
	b.WriteString(")")
	for i, n := range f.Needs() {
		b.WriteString([]string{": ", "; "}[min(i, 1)] + n)
	}
	return b.String()
}

// Needs are the sentences that a person who is refused would read.
func (f Finding) Needs() []string {
	var all []string
	for _, n := range f.Verdict.Decision.Needs {
		all = append(all, n.String())
	}
	if len(all) == 0 && f.Verdict.Sentence != "" {
		all = append(all, f.Verdict.Sentence)
	}
	return all
}

// reasons are all words that because may be: the reason, the policy or condition
// that decided, each condition that failed or, for somebody who is let in, held.
func (f Finding) reasons() []string {
	all := []string{string(f.Verdict.Reason), f.Verdict.Decision.Policy}
	for _, n := range f.Verdict.Decision.Needs {
		all = append(all, n.Text)
	}
	holds := f.Decision() == config.ExpectAllow
	var walk func(t *policy.Trace)
	walk = func(t *policy.Trace) {
		if t == nil || t.Holds != holds {
			return
		}
		all = append(all, t.Text)
		for _, part := range t.Parts {
			walk(part)
		}
	}
	walk(f.Trace)
	return all
}
