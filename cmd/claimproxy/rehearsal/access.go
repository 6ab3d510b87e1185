package rehearsal

import (
	"slices"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
)

// Access is what one person may do at one place: a line of the list that auditors
// ask for.
type Access struct {
	// Person is the name in people; empty for somebody who is not known.
	Person string
	// Auth is how the person comes; empty for somebody who is not known.
	Auth   session.Auth
	Method string
	// Decision, Reason and Policy are what became of it.
	Decision config.Expectation
	Reason   string
	Policy   string
}

// usualMethods are asked about where a route takes all there are.
var usualMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// Methods are those worth asking about at a place: the ones that its route takes.
func (s *Stage) Methods(at Request) []string {
	at.Method = "GET"
	f := s.Ask(at, Person{})
	if f.Route == nil || len(f.Route.Allowed()) == 0 {
		return usualMethods
	}
	return f.Route.Allowed()
}

// Who says who may do what at a place: nobody known first, then each person, in each
// way to come that the route takes, and each method.
func (s *Stage) Who(at Request, methods []string, people []config.Person) []Access {
	list := s.access(at, methods, "", Person{})
	at.Method = "GET"
	kinds := s.Kinds(at)
	for _, p := range people {
		for _, kind := range kinds {
			list = append(list, s.access(at, methods, p.Name, Known(p.Claims, kind))...)
		}
	}
	return list
}

func (s *Stage) access(at Request, methods []string, name string, who Person) []Access {
	list := make([]Access, 0, len(methods))
	for _, m := range slices.Compact(slices.Clone(methods)) {
		at.Method = m
		f := s.Ask(at, who)
		list = append(list, Access{
			Person: name, Auth: who.Auth, Method: m,
			Decision: f.Decision(), Reason: string(f.Verdict.Reason), Policy: f.Verdict.Decision.Policy,
		})
	}
	return list
}
