package policy

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAnExpressionIsBounded compiles and evaluates what would take long or much
// memory, with claims that make it worse. Each either is refused or comes to an end.
func TestAnExpressionIsBounded(t *testing.T) {
	doubling := func(start, step string, n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "let a0 = %s; ", start)
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "let a%d = %s; ", i, strings.ReplaceAll(step, "a", fmt.Sprintf("a%d", i-1)))
		}
		return b.String() + fmt.Sprintf("a%d", n)
	}
	tests := []struct{ name, expr string }{
		{"a text that doubles", "len(" + "claims.text + claims.text" + ") > 0 and (" + doubling("claims.text", "a + a", 60) + `) == "x"`},
		{"a list that doubles", "(" + doubling("claims.groups", "[a, a]", 60) + ") == []"},
		{"lists that double, compared", "let x = (" + doubling("[1, 1]", "[a, a]", 40) + "); x == x or claims.n == 5"},
		{"lists that double, searched", "let x = (" + doubling("[1, 1]", "[a, a]", 40) + "); x in [x] or claims.n == 5"},
		{"lists that double, printed", "string(" + doubling("[claims.n, 1]", "[a, a]", 40) + `) == "x"`},
		{"lists that double, as numbers", "max(" + doubling("[claims.n, 1]", "[a, a]", 40) + ") == 5"},
		{"a number that grows", "(" + doubling("claims.n", "a * a", 60) + ") > 5"},
		{"powers", "claims.n ** 99999 ** 99999 ** 99999 > 1"},
		{"ranges side by side", "all(1..1000, claims.n != #) and all(1..1000, claims.n != #) and all(1..1000, claims.n != #)"},
		{"a range by a long list", "all(1..1000, # not in claims.numbers)"},
		{"every group by all groups", "all(claims.groups, # in claims.groups)"},
		{"a long text for each member of a range", `none(1..1000, lower(claims.text) == "x")`},
		{"a pattern for each member of a range", `none(1..1000, claims.text matches "^(?:[a-z]{0,100}[0-9]{0,100}){5}$")`},
		{"a pattern for each group", `none(claims.groups, # matches "^(?:a?){500}a{500}$")`},
		{"filters in a row", strings.Repeat("filter(", 100) + "claims.groups" + strings.Repeat(`, # != "x")`, 100) + " == []"},
		{"split in a row", `len(split(claims.text, "")) + len(split(claims.text, "x")) > 1`},
		{"split for each group", `all(claims.groups, len(split(claims.text, "")) > 1)`},
		{"a sum for each group", `all(claims.groups, len(claims.text + claims.text + claims.text) > 1)`},
		{"conditions in each other", strings.Repeat("claims.n == 5 ? (", 60) + "true" + strings.Repeat(") : false", 60)},
		{"nots", strings.Repeat("!", 400) + "claims.flag"},
		{"minuses", strings.Repeat("-", 400) + "claims.n > 1"},
		{"parentheses", strings.Repeat("(", 2000) + "claims.n == 5" + strings.Repeat(")", 2000)},
		{"brackets", strings.Repeat("[", 2000) + "claims.n" + strings.Repeat("]", 2000) + " == 5"},
		{"braces", strings.Repeat(`{"a":`, 600) + "claims.n" + strings.Repeat("}", 600) + ".a == 5"},
		{"brackets that are never closed", strings.Repeat("[", 4000)},
		{"dots", "claims" + strings.Repeat(".a", 2000) + " == 5"},
		{"a long text", `claims.text == "` + strings.Repeat("x", 4000) + `"`},
		{"a long number", "claims.n == " + strings.Repeat("9", 4000)},
		{"a long fraction", "claims.n == 0." + strings.Repeat("9", 4000)},
		{"a long list", "claims.n in [" + strings.Repeat("1,", 2000) + "1]"},
		{"too long", strings.Repeat("claims.n == 5 or ", 300) + "true"},
		{"many parts", strings.Repeat("claims.n==5 or ", 200) + "true"},
	}
	groups, numbers := make([]any, 20_000), make([]any, 20_000)
	for i := range groups {
		groups[i], numbers[i] = strings.Repeat("a", 40)+fmt.Sprint(i), i+5000
	}
	caller := Caller{Claims: Index(map[string]any{"text": strings.Repeat("ab1", 10_000), "groups": groups, "numbers": numbers, "n": 5, "flag": true})}
	caller.Claims.plain()
	// A tenth of this on a machine that has nothing else to do.
	most := 500 * time.Millisecond
	if raceEnabled {
		most *= 10
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			rule, faults := (*Set)(nil).Rule(exprOf(tt.expr))
			compiled := time.Since(began)
			began = time.Now()
			if len(faults) == 0 {
				if got := rule.program.leaves[0].verdict(&caller); got > yes {
					t.Errorf("got %v", got)
				}
			}
			decided := time.Since(began)
			runtime.ReadMemStats(&after)
			if compiled > most || decided > most {
				t.Errorf("compiled in %v, decided in %v, want at most %v", compiled, decided, most)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 100<<20 {
				t.Errorf("got %d MB of memory", got>>20)
			}
			t.Logf("compiled in %v, decided in %v, %d kB, %v", compiled, decided, (after.TotalAlloc-before.TotalAlloc)>>10, faults)
		})
	}
}

// TestMuchWorkIsNoAnswer: what runs out of its budget grants neither way.
func TestMuchWorkIsNoAnswer(t *testing.T) {
	numbers := make([]any, 20_000)
	for i := range numbers {
		numbers[i] = i + 5000
	}
	few, many := Index(map[string]any{"numbers": numbers[:100], "sub": "jane"}), Index(map[string]any{"numbers": numbers, "sub": "jane"})
	inEveryPlace(t, exprOf("all(1..1000, # not in claims.numbers)"), func(place string, rule *Rule, turned bool) {
		if got := rule.Decide(Caller{Claims: few}).Outcome; (got == Allow) == turned {
			t.Errorf("%s, few numbers: got %v", place, got)
		}
		if got := rule.Decide(Caller{Claims: many}).Outcome; got != Deny {
			t.Errorf("%s, many numbers: got %v, want deny", place, got)
		}
	})
}

// TestAnExpressionThatPanicsIsNoAnswer reaches every place of expr-lang that
// panics for values of the wrong type.
func TestAnExpressionThatPanicsIsNoAnswer(t *testing.T) {
	for _, expr := range []string{
		"claims.a - claims.b == 0", "claims.a * claims.b == 0", "claims.a / claims.b != 0", "claims.a % claims.b != 0", "claims.a ** claims.b != 0",
		"-claims.a != 0", "not claims.a", "claims.a and true", "claims.a or true", "claims.a ? true : true", "claims.a + claims.b != 0",
		"abs(claims.a) != 0", "int(claims.a) != 0", "float(claims.a) != 0.5", `split(claims.a, claims.b) != []`, "upper(claims.a) != claims.b",
		"any(claims.a, #)", "none(claims.a, #)", "claims.a[claims.b] != 0", "claims.a[claims.b:] != []", `claims.a startsWith claims.b`, "min(claims.a, claims.b) != 0",
		`{(claims.a): 1}[claims.b] != 2`, `trim(claims.a, claims.b) != "x"`, "claims.a % 0 != 1",
	} {
		for _, a := range []any{"x", 5, 0.5, true, []any{}, []any{nil}, []any{1, "x"}, map[string]any{"x": 1}, map[string]any{}, []byte("x"), struct{ X int }{5}, func() {}} {
			// Of two that do not go together at least one is refused: the opposite too.
			for _, b := range []any{[]byte("x"), func() {}, struct{}{}} {
				caller := Caller{Claims: Index(map[string]any{"a": a, "b": b})}
				rule := mustRule(t, nil, exprOf(expr))
				got := rule.program.leaves[0].verdict(&caller)
				if strings.Contains(expr, "claims.b") && got != wrongType && got != missing {
					t.Errorf("%s for a = %T, b = %T: got verdict %d", expr, a, b, got)
				}
				if d := rule.Decide(caller); d.Err != nil {
					t.Errorf("%s for a = %T, b = %T: got %v", expr, a, b, d.Err)
				}
			}
		}
	}
}

// TestNobodySeesAnothersClaims asks for what is not there, again and again, right
// after those who have it, from many goroutines; for the race detector as well.
func TestNobodySeesAnothersClaims(t *testing.T) {
	exprs := []string{
		`claims?.secret in ["s3cr3t"]`, `let s = claims?.secret; s == "s3cr3t"`, `any(claims.list, # == claims?.secret)`,
		`claims.sub == "jane" and claims.secret == "s3cr3t"`, `any(claims.list, let s = #; s == "s3cr3t")`, `first(filter(claims.list, # == "s3cr3t")) == "s3cr3t"`,
	}
	rules := make([]*Rule, len(exprs))
	for i, e := range exprs {
		rules[i] = mustRule(t, nil, exprOf(e))
	}
	jane := Caller{Claims: Index(map[string]any{"sub": "jane", "secret": "s3cr3t", "list": []any{"a", "s3cr3t"}})}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				rule := rules[(g+i)%len(rules)]
				if got := rule.Decide(jane); got.Outcome != Allow || got.Err != nil {
					t.Errorf("%s: jane got %v (%v), want allow", rule, got.Outcome, got.Err)
				}
				// Fresh claims, so that they are made plain by several at once.
				joe := Caller{Claims: Index(map[string]any{"sub": "joe", "list": []any{"a", nil}})}
				for range 2 {
					if got := rule.Decide(joe); got.Outcome != Deny || got.Err != nil {
						t.Errorf("%s: joe got %v (%v), want deny", rule, got.Outcome, got.Err)
					}
				}
				if got := rule.Decide(Caller{}); got.Outcome != SignIn {
					t.Errorf("%s: nobody got %v, want sign-in", rule, got.Outcome)
				}
			}
		})
	}
	wg.Wait()
	shared := Index(map[string]any{"sub": "joe", "list": []any{"a"}})
	for range 8 {
		wg.Go(func() { rules[1].Decide(Caller{Claims: shared}) })
	}
	wg.Wait()
}

// TestClaimsAsExpressionsSeeThem looks at the values that JSON and Go give.
func TestClaimsAsExpressionsSeeThem(t *testing.T) {
	deep := any("x")
	for range 40 {
		deep = map[string]any{"d": deep}
	}
	claims := Index(map[string]any{
		"float": 5.0, "half": 0.5, "huge": 1e30, "nan": nan(), "int64": int64(5), "uint64": uint64(1 << 63), "strings": []string{"a"},
		"bytes": []byte("a"), "struct": struct{ X string }{"a"}, "deep": deep, "nothing": nil, "nested": map[string]any{"nothing": nil}, "nulls": []any{nil, "a"},
	})
	tests := []struct {
		expr string
		want verdict
	}{
		{"claims.float == 5", yes}, {"claims.half == 0.5", yes}, {"claims.int64 == 5", yes},
		{`claims.huge == "1000000000000000000000000000000"`, yes}, {"claims.huge > 5", wrongType},
		{`claims.uint64 == "9223372036854775808"`, yes}, {"claims.uint64 != 5", wrongType},
		{"claims.nan != 5", wrongType}, {"claims.nan == claims.nan", wrongType},
		{`"a" in claims.strings`, yes}, {`claims.bytes != "b"`, wrongType}, {`claims.bytes matches "^a$"`, wrongType}, {`none(claims.bytes, # == 98)`, wrongType},
		{`claims.struct.X == "a"`, wrongType}, {`claims.struct?.X == "a"`, wrongType},
		{"claims.deep" + strings.Repeat(".d", 40) + ` == "x"`, wrongType},
		{`"nothing" in claims`, no}, {"claims.nested.nothing == 1", missing}, {`"a" in claims.nulls`, yes}, {`claims.nulls[0] == "a"`, wrongType},
		{`any(claims.nulls, # == "a")`, wrongType}, {`none(claims.nulls, # == claims?.nope)`, yes}, {"claims?.nope == claims?.nada", missing}, {"claims?.nope != claims?.nada", missing}, {"claims?.nope in [claims?.nada]", missing}, {"len(claims.nulls) == 2", yes},
		{`claims.half < claims.float and claims.float > claims.half`, yes}, {"claims.int64 <= 5.0 and claims.int64 >= 5.0 and 5.5 > claims.int64", yes},
		{"9223372036854775807 == 9223372036854775808.0 or claims.float == 6", no}, {"9223372036854775807 < 9223372036854775808.0 and claims.float == 5", yes},
		{"claims.half * 0 / 0 == 1", wrongType},
	}
	for _, tt := range tests {
		e, fault := newExpression(&source{text: tt.expr})
		if fault != nil {
			t.Errorf("%s: %v\n%s", tt.expr, fault, fault.Caret())
			continue
		}
		if got := e.verdict(&Caller{Claims: claims}); got != tt.want {
			t.Errorf("%s: got verdict %d, want %d", tt.expr, got, tt.want)
		}
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}
