package policy

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// What the operators find out. Each says missing for a claim that is not there and
// wrongType for one that no value of the operator could match, so that neither it
// nor its opposite grants.

// containsAny holds when at least one of the values is a member.
func containsAny(c *comparison, v *value, _ time.Time) verdict {
	if v == nil {
		return missing
	}
	if !v.isList() {
		return wrongType
	}
	return verdictOf(v.members.meets(&c.texts))
}

// containsAll holds when every one of the values is a member.
func containsAll(c *comparison, v *value, _ time.Time) verdict {
	if v == nil {
		return missing
	}
	if !v.isList() {
		return wrongType
	}
	for _, s := range c.texts.list {
		if !v.members.has(s) {
			return no
		}
	}
	return yes
}

// isOneOf holds when the claim is one of the values. The claim is of a wrong type
// when it could be none of them.
func isOneOf(c *comparison, v *value, _ time.Time) verdict {
	if v == nil {
		return missing
	}
	found := wrongType
	for _, l := range c.values {
		if got := l.compare(v); got == yes {
			return yes
		} else if got == no {
			found = no
		}
	}
	return found
}

func aList(*comparison) string { return "a list or a string" }

func aSingleValue(c *comparison) string {
	kind := c.values[0].kind
	for _, l := range c.values {
		if l.kind != kind {
			return "one of the values"
		}
	}
	switch kind {
	case literalBool:
		return "true or false"
	case literalNumber:
		return "a number or a string"
	}
	return "a string"
}

// startsWith holds when the claim is a string that begins with the value.
func startsWith(c *comparison, v *value, _ time.Time) verdict {
	return ofText(v, func(s string) bool { return strings.HasPrefix(s, c.values[0].text) })
}

// endsWith holds when the claim is a string that ends with the value.
func endsWith(c *comparison, v *value, _ time.Time) verdict {
	return ofText(v, func(s string) bool { return strings.HasSuffix(s, c.values[0].text) })
}

// matches holds when the pattern, which is anchored, matches the whole string.
func matches(c *comparison, v *value, _ time.Time) verdict {
	return ofText(v, c.pattern.MatchString)
}

func ofText(v *value, test func(string) bool) verdict {
	switch {
	case v == nil:
		return missing
	case v.kind != kindText:
		return wrongType
	}
	return verdictOf(test(v.text))
}

// isPresent and isMissing alone find something out about a claim that is not there.
func isPresent(_ *comparison, v *value, _ time.Time) verdict { return verdictOf(v != nil) }

func isMissing(_ *comparison, v *value, _ time.Time) verdict { return verdictOf(v == nil) }

// ahead is how far a moment may lie in the future: clocks differ.
const ahead = time.Minute

// within holds when the claim is a moment, in seconds since 1970 (RFC 7519 section
// 2, NumericDate), that is at most so long ago. One in the future is none.
func within(c *comparison, v *value, now time.Time) verdict {
	if v == nil {
		return missing
	}
	age, ok := v.age(now)
	if !ok || age < -ahead {
		return wrongType
	}
	return verdictOf(age <= c.within)
}

// age is how long ago the moment was that a number names.
func (v *value) age(now time.Time) (time.Duration, bool) {
	// Beyond the year 5138 it is milliseconds, or nonsense.
	const latest = 1e11
	if v.kind != kindNumber || now.IsZero() {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(v.text, 64)
	if err != nil || seconds < 0 || seconds > latest {
		return 0, false
	}
	whole, fraction := math.Modf(seconds)
	return now.Sub(time.Unix(int64(whole), int64(fraction*1e9))), true
}

func aString(*comparison) string { return "a string" }

func aMoment(*comparison) string { return "a past moment in seconds since 1970" }
