package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shadowed is a policy with a shadow.
func shadowed(name, require, shadow string) Definition {
	c := text(shadow)
	return Definition{Name: name, Require: text(require), Shadow: &c}
}

// TestShadows tries policies out beside themselves, and everywhere that they are
// named.
func TestShadows(t *testing.T) {
	set, faults := Compile([]Definition{
		shadowed("dev", "groups contains dev", "groups contains dev and mfa is true"),
		{Name: "staff", Require: text("policy dev or groups contains staff")},
		{Name: "others", Require: text("not policy dev")},
		{Name: "plain", Require: text("groups contains dev")},
		shadowed("both", "policy dev", "policy staff"),
		shadowed("words", "policy plain", "sub is missing"),
		{Name: "guarded", Require: text("policy dev"), Providers: []string{"kde"}},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const none = Outcome(-1)
	tests := []struct {
		name, rule, claims string
		want, shadow       Outcome
	}{
		{"a policy itself", "dev", `{"groups": ["dev"], "mfa": false}`, Allow, Deny},
		{"a policy itself, agreed", "dev", `{"groups": ["dev"], "mfa": true}`, Allow, Allow},
		{"refused by both", "dev", `{"groups": []}`, Deny, Deny},
		{"a policy that names it", "staff", `{"groups": ["dev"]}`, Allow, Deny},
		{"a policy that names it, met otherwise", "staff", `{"groups": ["dev", "staff"]}`, Allow, Allow},
		{"a condition that names it", "policy dev and sub is x", `{"groups": ["dev"], "sub": "x", "mfa": false}`, Allow, Deny},
		{"a condition that names who names it", "policy staff and sub is x", `{"groups": ["dev"], "sub": "x", "mfa": false}`, Allow, Deny},
		{"under not: who was kept out gets in", "not policy dev", `{"groups": ["dev"], "mfa": false}`, Deny, Allow},
		{"under not: a missing claim lets nobody in there either", "not policy dev", `{"groups": ["dev"]}`, Deny, Deny},
		{"under not, by a policy", "others", `{"groups": ["dev"], "mfa": false}`, Deny, Allow},
		{"a shadow and a policy in it that has one too", "both", `{"groups": ["staff"]}`, Deny, Allow},
		{"a shadow and a policy in it that has one too, other way", "both", `{"groups": ["dev"]}`, Allow, Deny},
		{"a policy that names nothing that is tried out", "plain", `{"groups": ["dev"]}`, Allow, none},
		{"a word", "public", `{}`, Allow, none},
		{"providers hold for the shadow", "guarded", `{"groups": ["dev"], "mfa": true, "provider": "x"}`, Deny, Deny},
		{"providers hold for the shadow, the right one", "guarded", `{"groups": ["dev"], "mfa": false, "provider": "kde"}`, Allow, Deny},
		{"what the shadow says of itself", "words", `{"groups": ["dev"]}`, Allow, Allow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustRule(t, set, text(tt.rule))
			who := Caller{Claims: claimsOf(t, tt.claims), User: true}
			got := rule.Decide(who)
			if got.Outcome != tt.want || got.Err != nil {
				t.Errorf("got %v (%v), want %v", got.Outcome, got.Err, tt.want)
			}
			trace := rule.ExplainShadow(who)
			if tt.shadow == none {
				if got.Shadow != nil || trace != nil || got.Differs() {
					t.Errorf("got the shadow %+v, want none", got.Shadow)
				}
				return
			}
			if got.Shadow == nil || got.Shadow.Outcome != tt.shadow || got.Differs() != (tt.want != tt.shadow) || trace.Holds != (tt.shadow == Allow) {
				t.Errorf("got the shadow %+v, differs %t, trace %+v, want %v", got.Shadow, got.Differs(), trace, tt.shadow)
			}
			if got.Shadow != nil && got.Shadow.Policy == "" {
				t.Error("the shadow has no name")
			}
			if got := rule.Decide(Caller{}); got.Outcome != SignIn || got.Shadow == nil || got.Shadow.Outcome != SignIn {
				t.Errorf("nobody: got %v, shadow %+v, want sign-in", got.Outcome, got.Shadow)
			}
		})
	}
}

// TestAShadowNeverDecides: neither what it says nor what goes wrong in it.
func TestAShadowNeverDecides(t *testing.T) {
	set := mustCompile(t, "a", "groups contains a")
	rule := mustRule(t, set, text("a"))
	who := Caller{Claims: Index(map[string]any{"groups": "a"}), User: true}
	for _, other := range []string{"nobody", "public", "signed-in", "groups contains b", "policy a"} {
		with := rule.Shadowed(mustRule(t, set, text(other)))
		got := with.Decide(who)
		if got.Outcome != Allow || got.Policy != "a" || got.Shadow == nil || got.Shadow.Policy == "" {
			t.Errorf("beside %s: got %+v, want allow and a shadow", other, got)
		}
		if trace := with.ExplainShadow(who); trace == nil || trace.Holds != (got.Shadow.Outcome == Allow) {
			t.Errorf("beside %s: got the trace %+v", other, trace)
		}
		if refused := mustRule(t, set, text("nobody")).Shadowed(mustRule(t, set, text(other))).Decide(who); refused.Outcome != Deny {
			t.Errorf("nobody beside %s: got %v", other, refused.Outcome)
		}
	}
	broken := *mustRule(t, nil, text("groups contains a"))
	broken.program = &program{source: broken.program.source, code: broken.program.code}
	got := rule.Shadowed(&broken).Decide(who)
	if got.Outcome != Allow || got.Err != nil || got.Shadow.Err == nil || got.Shadow.Outcome != Deny {
		t.Errorf("a shadow that breaks: got %v (%v), shadow %+v", got.Outcome, got.Err, got.Shadow)
	}
}

func TestShadowedTakesTheShadowAway(t *testing.T) {
	set, faults := Compile([]Definition{shadowed("dev", "groups contains dev", "groups contains never")})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	who := Caller{Claims: Index(map[string]any{"groups": "dev"})}
	rule := mustRule(t, set, text("dev"))
	without := rule.Shadowed(nil)
	if got := without.Decide(who); got.Outcome != Allow || got.Shadow != nil || without.ExplainShadow(who) != nil {
		t.Errorf("without: got %+v", got)
	}
	if got := rule.Decide(who); got.Shadow == nil || !got.Differs() {
		t.Errorf("the rule that it was taken from: got %+v, want its shadow still", got)
	}
	if diff := cmp.Diff([]string{"dev"}, without.Values()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	var nobody *Rule
	if got := nobody.Shadowed(rule).Decide(who); got.Outcome != Deny || got.Shadow == nil || got.Shadow.Outcome != Allow {
		t.Errorf("nobody with a shadow: got %+v", got)
	}
	if got := nobody.Shadowed(nil).Decide(who); got.Outcome != Deny || got.Shadow != nil {
		t.Errorf("nobody without: got %+v", got)
	}
}

// TestShadowsGoInCirclesToo: a circle through a shadow is one.
func TestShadowsGoInCirclesToo(t *testing.T) {
	tests := []struct {
		name string
		defs []Definition
		want []string
	}{
		{"of itself", []Definition{shadowed("a", "x is y", "policy a")}, []string{"policy a refers to itself; the circle is a -> a"}},
		{"under not", []Definition{shadowed("a", "x is y", "not (x is z or policy a)")}, []string{"policy a refers to itself; the circle is a -> a"}},
		{"through another's condition", []Definition{shadowed("a", "x is y", "policy b"), {Name: "b", Require: text("policy a")}}, []string{"policy a refers to itself; the circle is a -> b -> a"}},
		{"through another's shadow", []Definition{shadowed("a", "x is y", "policy b"), shadowed("b", "x is y", "policy a")}, []string{"policy a refers to itself; the circle is a -> b -> a"}},
		{"an unknown policy", []Definition{shadowed("a", "x is y", "policy nope")}, []string{`unknown policy "nope"; policies are: a`}},
		{"both faulty", []Definition{shadowed("a", "x has y", "x has z")}, []string{
			`unknown operator "has"; write contains; operators are: ` + operatorNames(), `unknown operator "has"; write contains; operators are: ` + operatorNames()}},
		{"an empty one", []Definition{shadowed("a", "x is y", "")}, []string{"the condition is empty; write for example groups contains teams/kde-developers"}},
		{"a rule's word", []Definition{shadowed("a", "x is y", "public")}, []string{"public stands alone as what a route allows and is not part of a condition"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, faults := Compile(tt.defs)
			var got []string
			for _, f := range faults {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			for _, d := range tt.defs {
				rule, more := set.Rule(text(d.Name))
				if got := rule.Decide(Caller{Claims: Index(map[string]any{"x": "y"})}); len(more) > 0 || got.Outcome == Allow {
					t.Errorf("the rule %s: got %v, %v", d.Name, got.Outcome, more)
				}
			}
		})
	}
}

// TestShadowsThatDoubleEachOther is the attempt to make shadows blow up.
func TestShadowsThatDoubleEachOther(t *testing.T) {
	defs := []Definition{shadowed("p0", "x is y", "x is z")}
	for i := 1; i < 40; i++ {
		defs = append(defs, Definition{Name: fmt.Sprintf("p%d", i), Require: text(fmt.Sprintf("policy p%d and policy p%d", i-1, i-1))})
	}
	set, faults := Compile(defs)
	if len(faults) != 1 {
		t.Fatalf("got %v, want one fault", faults)
	}
	if got := mustRule(t, set, text("p39")).Decide(Caller{Claims: Index(map[string]any{"x": "y"})}); got.Outcome != Deny || got.Shadow != nil {
		t.Errorf("got %+v, want deny", got)
	}
}

func TestPoliciesThatTakePart(t *testing.T) {
	set, faults := Compile([]Definition{
		{Name: "a", Require: text("x is 1")}, {Name: "b", Require: text("policy a")}, shadowed("c", "x is 2", "policy b"), {Name: "d", Require: text("x is 3")},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for rule, want := range map[string][]string{
		"a": {"a"}, "b": {"a", "b"}, "not policy b or x is 5": {"a", "b"}, "c": {"c"}, "policy c and policy d": {"c", "d"},
		"x is 1": nil, "public": nil, "nobody": nil,
	} {
		if diff := cmp.Diff(want, mustRule(t, set, text(rule)).Policies()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule, diff)
		}
	}
	if diff := cmp.Diff([]string{"a"}, mustRule(t, set, text("a")).Shadowed(mustRule(t, set, text("d"))).Policies()); diff != "" {
		t.Errorf("a beside d (-want +got):\n%s", diff)
	}
	var none *Rule
	if got := none.Policies(); got != nil {
		t.Errorf("no rule: got %v", got)
	}
}
