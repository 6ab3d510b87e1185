package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
)

// part is a part of a rule in the JSON form of an explanation.
type part struct {
	Kind    string   `json:"kind"`
	Text    string   `json:"text"`
	Holds   bool     `json:"holds"`
	Finding string   `json:"finding,omitempty"`
	Have    []string `json:"have,omitempty"`
	Parts   []*part  `json:"parts,omitempty"`
}

func partOf(t *policy.Trace) *part {
	if t == nil {
		return nil
	}
	p := &part{Kind: string(t.Kind), Text: t.Text, Holds: t.Holds, Finding: t.Finding, Have: t.Have}
	for _, below := range t.Parts {
		p.Parts = append(p.Parts, partOf(below))
	}
	return p
}

// ownPage is what is said instead of a decision.
const ownPage = "one of claimproxy's own pages, which no rule decides about"

// writeExplanation prints an explanation for people:
//
//	GET https://telemetry.example.org/admin/
//	deny: not-allowed
//
//	route   telemetry.example.org/admin/
//	policy  admins
//
//	✗ policy admins
//	  ✗ groups contains any of [teams/kuserfeedback-admins, teams/sysadmins]
//	      groups: [teams/kde-developers]
//
//	They would read:
//	  needs groups contains any of [...] - you have groups: [teams/kde-developers]
func writeExplanation(w io.Writer, request string, f rehearsal.Finding) error {
	var b strings.Builder
	b.WriteString(printable(request) + "\n")
	if f.Own {
		b.WriteString("This is " + ownPage + ".\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "%s: %s\n", f.Decision(), f.Verdict.Reason)
	if f.Route != nil {
		fmt.Fprintf(&b, "\nroute   %s\n", f.Route.Name)
	}
	if p := f.Verdict.Decision.Policy; p != "" {
		fmt.Fprintf(&b, "policy  %s\n", p)
	}
	if f.Verdict.Reason == proxy.ReasonMethod {
		fmt.Fprintf(&b, "\nThe route takes %s.\n", strings.Join(f.Verdict.Methods, ", "))
	}
	if f.Trace != nil {
		b.WriteByte('\n')
		writeTrace(&b, f.Trace, 0)
	}
	if s := f.Verdict.Decision.Shadow; s != nil {
		fmt.Fprintf(&b, "\nThe shadow would say %s: %s", s.Outcome, s.Reason)
		if f.Verdict.Decision.Differs() {
			b.WriteString(", which is something else")
		}
		b.WriteString("\n")
		writeTrace(&b, f.Shadow, 0)
	}
	switch needs := f.Needs(); {
	case len(needs) > 0:
		b.WriteString("\nThey would read:\n")
		for _, n := range needs {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	case f.Trace != nil && f.Decision() == config.ExpectDeny:
		b.WriteString("\nThey would read that they may not, and nothing about why.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTrace prints a part of a rule, what it met, and the parts below it.
func writeTrace(b *strings.Builder, t *policy.Trace, depth int) {
	if t == nil {
		return
	}
	mark := "✗"
	if t.Holds {
		mark = "✓"
	}
	indent := strings.Repeat("  ", depth)
	text := t.Text
	switch t.Kind {
	case policy.TracePolicy:
		if rest, negated := strings.CutPrefix(text, "not "); negated {
			text = "not policy " + rest
		} else {
			text = "policy " + text
		}
	case policy.TraceAll:
		text = "all of"
	case policy.TraceAny:
		text = "any of"
	}
	if t.Finding != "" {
		text += " (" + t.Finding + ")"
	}
	fmt.Fprintf(b, "%s%s %s\n", indent, mark, text)
	for _, have := range t.Have {
		fmt.Fprintf(b, "%s    %s\n", indent, have)
	}
	for _, below := range t.Parts {
		writeTrace(b, below, depth+1)
	}
}
