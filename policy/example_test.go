package policy_test

import (
	"encoding/json"
	"fmt"

	"github.com/claimproxy/claimproxy/policy"
)

func Example() {
	set, faults := policy.Compile([]policy.Definition{{
		Name:    "kde-staff",
		Title:   "KDE e.V. staff with a confirmed address",
		Require: policy.Clause{Text: "email_verified is true and groups contains any of [teams/ev-board, teams/ev-staff]"},
	}})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	rule, faults := set.Rule(policy.Clause{Text: "kde-staff"})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}

	jane := policy.Index(map[string]any{"email_verified": true, "groups": []any{"teams/ev-staff"}})
	joe := policy.Index(map[string]any{"email_verified": true, "groups": []any{"teams/kde-developers"}})
	fmt.Println("jane:", rule.Decide(policy.Caller{Claims: jane, User: true}).Outcome)
	denied := rule.Decide(policy.Caller{Claims: joe, User: true})
	fmt.Println("joe:", denied.Outcome, denied.Reason)
	fmt.Println(denied.Needs[0])
	fmt.Println("nobody known:", rule.Decide(policy.Caller{}).Outcome)
	// Output:
	// jane: allow
	// joe: deny not-allowed
	// needs groups contains any of [teams/ev-board, teams/ev-staff] - you have groups: [teams/kde-developers]
	// nobody known: sign-in
}

func ExampleError_Caret() {
	_, faults := policy.Compile([]policy.Definition{{
		Name:    "developers",
		Require: policy.Clause{Text: "groups contains Field Team", At: policy.Position{File: "claimproxy.yaml", Line: 7, Column: 15}},
	}})
	for _, f := range faults {
		fmt.Printf("%v: %v\n%s\n", f.At, f, f.Caret())
	}
	// Output:
	// claimproxy.yaml:7:15: unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"
	// groups contains Field Team
	//                       ^~~~
}

func ExampleIndex() {
	// Two ids that are one number as a float64.
	claims := policy.Index(map[string]any{"uid": json.Number("9007199254740993")})
	var set *policy.Set
	for _, condition := range []string{"uid is 9007199254740993", "uid is 9007199254740992"} {
		rule, _ := set.Rule(policy.Clause{Text: condition})
		fmt.Println(condition, "-", rule.Decide(policy.Caller{Claims: claims}).Outcome)
	}
	// Output:
	// uid is 9007199254740993 - allow
	// uid is 9007199254740992 - deny
}
