package main

import (
	"errors"
	"slices"
	"testing"
)

// TestAPartLivesAsLongAsSomebodyUsesIt and is made once.
func TestAPartLivesAsLongAsSomebodyUsesIt(t *testing.T) {
	var s shelf
	var happened []string
	of := func(name string) func() (string, func(), error) {
		return func() (string, func(), error) {
			happened = append(happened, "made "+name)
			return name, func() { happened = append(happened, "ended "+name) }, nil
		}
	}
	a, b := fingerprintOf("letter", "a"), fingerprintOf("letter", "b")
	_, first, _ := take(&s, a, of("a"))
	got, second, err := take(&s, a, of("another"))
	if got != "a" || err != nil {
		t.Errorf("got %q, %v, want the part that was there", got, err)
	}
	_, other, _ := take(&s, b, of("b"))
	first()
	first() // by mistake, and it is not counted
	other()
	second()
	_, third, _ := take(&s, a, of("a"))
	third()
	want := []string{"made a", "made b", "ended b", "ended a", "made a", "ended a"}
	if !slices.Equal(happened, want) {
		t.Errorf("got %q, want %q", happened, want)
	}
	if len(s.parts) != 0 {
		t.Errorf("%d parts are left", len(s.parts))
	}
}

func TestAPartThatCannotBeMadeIsNotKept(t *testing.T) {
	var s shelf
	broken := errors.New("broken")
	key := fingerprintOf("letter", "a")
	if _, _, err := take(&s, key, func() (string, func(), error) { return "", nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if len(s.parts) != 0 {
		t.Error("something was kept")
	}
}

// TestEverySettingCountsInAFingerprint, and where one ends and the next begins.
func TestEverySettingCountsInAFingerprint(t *testing.T) {
	type settings struct {
		Name string
		List []string
		Map  map[string]string
	}
	all := map[fingerprint]string{}
	for name, f := range map[string]fingerprint{
		"nothing":       fingerprintOf("a"),
		"another kind":  fingerprintOf("b"),
		"a text":        fingerprintOf("a", "x y"),
		"two texts":     fingerprintOf("a", "x", "y"),
		"a struct":      fingerprintOf("a", settings{Name: "x"}),
		"a list in it":  fingerprintOf("a", settings{Name: "x", List: []string{"x", "y"}}),
		"a longer one":  fingerprintOf("a", settings{Name: "x", List: []string{"x y"}}),
		"a map in it":   fingerprintOf("a", settings{Name: "x", Map: map[string]string{"x": "y", "z": ""}}),
		"another value": fingerprintOf("a", settings{Name: "x", Map: map[string]string{"x": "y", "z": "1"}}),
	} {
		if other, twice := all[f]; twice {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		all[f] = name
	}
	if fingerprintOf("a", map[string]int{"a": 1, "b": 2}) != fingerprintOf("a", map[string]int{"b": 2, "a": 1}) {
		t.Error("the order of a map counts")
	}
}
