package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// generator makes random conditions and claims from a small stock, so that they
// often meet.
type generator struct {
	*rand.Rand
	policies int
}

// refNow is the time that is told.
const refNow = 1_700_000_000

var (
	stockOperators = []string{
		"contains", "contains any of", "contains all of", "is", "is one of", "contains", "contains any of", "is", "is one of",
		"starts with", "ends with", "matches", "is present", "is missing", "within", "within",
	}
	stockTimes   = []json.Number{"1700000000", "17e8", "1699996400", "1699996399.5", "1699996399", "1699999099.5", "1700000060", "1700000060.5", "1700000061", "0", "-5", "1e12", "1699395200", "1699395199", "1699999999"}
	stockClaims  = [][]string{{"groups"}, {"email"}, {"scope"}, {"flag"}, {"uid"}, {"o", "a"}, {"o", "b.c"}, {"o", "scope"}, {"o.a"}, {"absent"}, {"o", "a", "x"}, {"https://kde.org/x"}}
	stockStrings = []string{"a", "b", "a b", "true", "false", "5", "5.0", "007", "teams/a", "teams/a-b", "", "A"}
	stockNumbers = []json.Number{"5", "5.0", "50e-1", "6", "0", "-5", "9007199254740993", "9007199254740992", "0.5"}
	stockBare    = []string{"a", "b", "true", "false", "5", "5.0", "-5", "0", "007", "teams/a", "9007199254740993", "9007199254740992", "1e3", "0.50"}
)

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func (g *generator) condition(depth int) ref {
	if depth > 0 {
		switch g.IntN(6) {
		case 0, 1:
			r := ref{op: "and"}
			if g.IntN(2) == 0 {
				r.op = "or"
			}
			for range 2 + g.IntN(2) {
				r.members = append(r.members, g.condition(depth-1))
			}
			return r
		case 2:
			return ref{op: "not", members: []ref{g.condition(depth - 1)}}
		case 3:
			if g.policies > 0 {
				return ref{op: "policy", policy: g.IntN(g.policies)}
			}
		}
	}
	r := ref{op: pick(g, stockOperators), claim: pick(g, stockClaims)}
	n := 1
	switch r.op {
	case "is present", "is missing":
		return r
	case "matches":
		r.values = []refValue{{text: pick(g, slices.Sorted(maps.Keys(refPatterns)))}}
		return r
	case "within":
		if g.IntN(3) > 0 {
			r.claim = []string{"auth_time"}
		}
		r.values = []refValue{{text: pick(g, slices.Sorted(maps.Keys(refDurations)))}}
		return r
	case "starts with", "ends with":
		r.values = []refValue{{text: pick(g, []string{"a", "teams/", "5", "true", "b", "teams/a"}), quoted: g.IntN(2) == 0}}
		return r
	}
	if strings.HasSuffix(r.op, " of") {
		n += g.IntN(12)
	}
	for range n {
		if g.IntN(2) == 0 {
			r.values = append(r.values, refValue{text: pick(g, stockStrings), quoted: true})
		} else {
			r.values = append(r.values, refValue{text: pick(g, stockBare)})
		}
	}
	return r
}

func (g *generator) value(depth int) any {
	switch g.IntN(9) {
	case 0, 1:
		if g.IntN(12) == 0 {
			return "a\n"
		}
		return pick(g, stockStrings)
	case 2:
		return pick(g, stockNumbers)
	case 3:
		return g.IntN(2) == 0
	case 4:
		if depth > 0 {
			return map[string]any{"a": g.value(depth - 1), "b.c": g.value(depth - 1), "scope": g.value(depth - 1), "x": g.value(depth - 1)}
		}
	case 5:
		if depth > 0 {
			return map[string]any{}
		}
	case 6:
		return g.list(20)
	}
	return g.list(4)
}

func (g *generator) list(n int) []any {
	list := make([]any, g.IntN(n))
	for i := range list {
		if list[i] = any(pick(g, stockStrings)); g.IntN(5) == 0 {
			list[i] = pick(g, []any{json.Number("5"), true, nil, []any{"a"}, map[string]any{"a": "a"}})
		}
	}
	return list
}

func (g *generator) claims() map[string]any {
	claims := map[string]any{}
	for _, name := range []string{"groups", "email", "scope", "flag", "uid", "o", "o.a", "https://kde.org/x"} {
		if g.IntN(5) > 0 {
			claims[name] = g.value(2)
		}
	}
	if claims["auth_time"] = any(pick(g, stockTimes)); g.IntN(6) == 0 {
		claims["auth_time"] = g.value(1)
	}
	if claims["provider"] = any(pick(g, []string{"x", "y"})); g.IntN(6) == 0 {
		claims["provider"] = g.value(1)
	}
	return claims
}

// policy is a random policy over those before it.
func (g *generator) policy() refPolicy {
	p := refPolicy{require: g.condition(2)}
	if g.IntN(3) == 0 {
		shadow := g.condition(2)
		p.shadow = &shadow
	}
	if g.IntN(3) == 0 {
		p.providers = []string{"x", "y", "z"}[:1+g.IntN(3)]
	}
	return p
}

// TestDecisionsAgreeWithTheReference holds the compiled programs, their shadows and
// the explanations against the reference on random conditions and claims: what is
// denied has needs, what is allowed has no failing leaf, and a trace says what was
// decided.
func TestDecisionsAgreeWithTheReference(t *testing.T) {
	rounds := 700
	if testing.Short() || raceEnabled {
		rounds = 150
	}
	outcomes := map[Outcome]int{}
	shadows, differ := 0, 0
	for seed := range uint64(rounds) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		var policies []refPolicy
		var defs []Definition
		for i := range 3 {
			p := g.policy()
			policies = append(policies, p)
			d := Definition{Name: fmt.Sprintf("p%d", i), Require: text(p.require.print()), Providers: p.providers, Explain: Explain(g.IntN(4))}
			if p.shadow != nil {
				c := text(p.shadow.print())
				d.Shadow = &c
			}
			defs = append(defs, d)
			g.policies = i + 1
		}
		set, faults := Compile(defs)
		if len(faults) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, faults[0], faults[0].Caret())
		}
		condition := g.condition(3)
		rule := mustRule(t, set, text(condition.print()))
		again := mustRule(t, set, text(rule.String()))
		for i := range 20 {
			w := refWorld{claims: g.claims(), policies: policies, now: refNow}
			caller := Caller{Claims: Index(w.claims), Now: time.Unix(refNow, 0)}
			if i == 0 {
				w.now, caller.Now = 0, time.Time{}
			}
			want := outcomeOf(condition.grants(w, true))
			w.shadow = true
			wantShadow := outcomeOf(condition.grants(w, true))

			got, trace := rule.Explain(caller)
			outcomes[got.Outcome]++
			said, _ := json.Marshal(w.claims)
			fatal := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("seed %d: %s\nwith %+v\nfor %s:\n%s", seed, rule, policies, said, fmt.Sprintf(format, args...))
			}
			if got.Outcome != want || got.Err != nil {
				fatal("got %v (%v), want %v", got.Outcome, got.Err, want)
			}
			if a := again.Decide(caller); a.Outcome != want || a.Err != nil {
				fatal("printed and read again: got %v (%v), want %v", a.Outcome, a.Err, want)
			}
			if len(got.Needs) > 0 && want != Deny || rule.tree.holds(&caller) != (want == Allow) {
				fatal("got %v with the needs %v", got.Outcome, got.Needs)
			}
			if trace.Holds != (want == Allow) {
				fatal("the trace says %t", trace.Holds)
			}
			soundTrace(t, trace)
			tried := rule.ExplainShadow(caller)
			switch {
			case (got.Shadow == nil) != (tried == nil):
				fatal("got the shadow %v and its trace %v", got.Shadow, tried)
			case got.Shadow == nil && want != wantShadow:
				fatal("got no shadow, want %v", wantShadow)
			case got.Shadow == nil:
				continue
			case got.Shadow.Outcome != wantShadow, got.Shadow.Err != nil, tried.Holds != (wantShadow == Allow), got.Differs() != (want != wantShadow):
				fatal("the shadow: got %v (%v), its trace %t, want %v", got.Shadow.Outcome, got.Shadow.Err, tried.Holds, wantShadow)
			}
			if shadows++; got.Differs() {
				differ++
			}
		}
	}
	if outcomes[Allow] < rounds || outcomes[Deny] < rounds || shadows < rounds || differ < rounds/10 {
		t.Errorf("the random conditions are one-sided: %v, %d shadows, of which %d differ", outcomes, shadows, differ)
	}
}

func outcomeOf(granted bool) Outcome {
	if granted {
		return Allow
	}
	return Deny
}

// soundTrace looks whether every part of a trace follows from the parts below it.
func soundTrace(t *testing.T, trace *Trace) {
	t.Helper()
	all, any := true, false
	for _, p := range trace.Parts {
		soundTrace(t, p)
		all, any = all && p.Holds, any || p.Holds
	}
	want := trace.Holds
	switch trace.Kind {
	case TraceAll, TracePolicy:
		want = all
	case TraceAny:
		want = any
	}
	if trace.Holds != want || trace.Finding != "" && trace.Holds || (trace.Kind == TraceCondition) != (len(trace.Parts) == 0) {
		t.Errorf("the part %+v does not follow from the parts below it", trace)
	}
}
