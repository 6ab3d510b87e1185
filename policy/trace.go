package policy

import "slices"

// Trace is a rule, or a part of one, with what became of it for one caller. It is
// for whoever runs the place and wants to know why: unlike a refusal it hides
// nothing.
type Trace struct {
	Kind TraceKind
	// Text is the condition as it would be written, "not" in front of it where it
	// stands under not; the policy's name; or the word that a rule consists of.
	Text string
	// Holds is whether the part grants.
	Holds bool
	// Finding is why a condition does not hold although its opposite does not
	// either: "missing" or "wrong type". It is empty otherwise.
	Finding string
	// Have is what the caller has in the claims of a condition: groups: [a, b].
	Have []string
	// Parts are the members of a block, and the condition of a policy.
	Parts []*Trace
}

// TraceKind is what a Trace is about.
type TraceKind string

// The kinds.
const (
	// TraceWord is public, signed-in or nobody.
	TraceWord TraceKind = "word"
	// TracePolicy is a policy that is named; its condition is below it.
	TracePolicy TraceKind = "policy"
	// TraceAll and TraceAny are blocks, or conditions joined by and and or. Under not
	// the one has become the other.
	TraceAll TraceKind = "all"
	TraceAny TraceKind = "any"
	// TraceCondition is a comparison or an expression.
	TraceCondition TraceKind = "condition"
)

// Explain decides as Decide does and says how it came to that. Every part is
// looked at, also where the decision was clear before.
func (r *Rule) Explain(c Caller) (Decision, *Trace) {
	d := r.Decide(c)
	if r == nil || r.node == nil {
		return d, &Trace{Kind: TraceWord, Text: r.String(), Holds: d.Outcome == Allow}
	}
	return d, tracer{set: r.set, caller: &c}.trace(r.node, false)
}

// ExplainShadow is Explain for the rule's shadow; nil without one.
func (r *Rule) ExplainShadow(c Caller) *Trace {
	if r == nil || r.shadow == nil {
		return nil
	}
	switch s := r.shadow; {
	case s.node != nil:
		return tracer{set: s.set, caller: &c}.trace(s.node, false)
	case s.kind == ruleCondition && r.node != nil: // the rule itself, with its policies in another form
		return tracer{set: r.set, caller: &c, shadow: true}.trace(r.node, false)
	default:
		return &Trace{Kind: TraceWord, Text: s.String(), Holds: s.decide(&c).Outcome == Allow}
	}
}

// tracer walks a condition as it was written.
type tracer struct {
	set    *Set
	caller *Caller
	// shadow takes policies in the form that they are tried out in.
	shadow bool
}

// trace carries negation along instead of pushing it down, so that names of policies
// stay. It comes to what the planted tree comes to.
func (w tracer) trace(n node, negated bool) *Trace {
	switch n := n.(type) {
	case *negation:
		return w.trace(n.node, !negated)
	case *reference:
		e := w.set.entries[n.name]
		t := &Trace{Kind: TracePolicy, Text: opposite(negated) + n.name}
		if e == nil || e.rule == nil {
			return t
		}
		node := e.node
		if w.shadow && e.shadow != nil {
			node = e.shadow
		}
		body := w.trace(node, negated)
		if t.Parts, t.Holds = []*Trace{body}, body.Holds; e.guard != nil {
			guard := w.trace(e.guard, false)
			t.Parts, t.Holds = slices.Insert(t.Parts, 0, guard), guard.Holds && body.Holds
		}
		return t
	case *group:
		t := &Trace{Kind: TraceAll, Holds: true}
		if (n.connective == or) != negated {
			t.Kind, t.Holds = TraceAny, false
		}
		for _, member := range n.nodes {
			part := w.trace(member, negated)
			t.Parts = append(t.Parts, part)
			if t.Kind == TraceAll {
				t.Holds = t.Holds && part.Holds
			} else {
				t.Holds = t.Holds || part.Holds
			}
		}
		t.Text = string(t.Kind)
		return t
	case test:
		return traceLeaf(leaf{test: n, negated: negated}, w.caller)
	}
	return &Trace{Kind: TraceCondition, Text: n.String()}
}

func traceLeaf(l leaf, c *Caller) *Trace {
	t := &Trace{Kind: TraceCondition, Text: visible(opposite(l.negated) + l.describe(shownRequired)), Holds: l.grants(c)}
	switch l.verdict(c) {
	case missing:
		t.Finding = "missing"
	case wrongType:
		t.Finding = "wrong type"
	}
	for _, claim := range l.claims() {
		if v := c.Claims.find(claim); v != nil {
			t.Have = append(t.Have, visible(claim.String())+": "+l.show(claim, v, c))
		}
	}
	return t
}

func opposite(negated bool) string {
	if negated {
		return "not "
	}
	return ""
}
