package config

import (
	"regexp"
	"strings"
)

// In other proxies the path of a route is a regular expression, a glob or has names in
// it. Here it is none of these, and this file knows what was meant.

var (
	// regularExpression is what no path has unless it is one.
	regularExpression = regexp.MustCompile(`^\^|\.\*|/\.\+|\\[a-zA-Z./-]|\[[^\]]*\]|\(\?|\([^)]*\|`)
	anythingBelow     = regexp.MustCompile(`\(?/?(?:\.[*+]|\(\.[*+]\))\)?\??$`)
	oneSegment        = regexp.MustCompile(`\(?(?:\[[^\]]*\]|\\[dwS]|\.)[+*]\)?`)

	// namedSegment is {tenant}, {tenant:[a-z]+}, <tenant>, :tenant and [tenant], and
	// namedRest is one that stands for all that follows.
	namedSegment = regexp.MustCompile(`^(?:\{[^{}]*\}|<[^<>]*>|:[A-Za-z_][A-Za-z0-9_]*\??|\[[A-Za-z_][A-Za-z0-9_]*\])$`)
	namedRest    = regexp.MustCompile(`^(?:\{\*[^{}]*\}|\{[^{}]*(?:\.\.\.|:\.[*+])\}|\*[A-Za-z_]+|<path:[^<>]*>|:[A-Za-z_]+[*+]|\[\.\.\.[^\]]*\])$`)
)

// checkRoutePath says what is wrong with the path of a route, "" for nothing, and what
// to write instead.
func checkRoutePath(p string) (problem, hint string) {
	expected := "expected a path, got " + quote(p)
	segments := strings.Split(p, "/")
	meant := ""
	for i, s := range segments {
		switch {
		case namedRest.MatchString(s) && i == len(segments)-1:
			meant, segments[i] = "a path that ends in / is for all below it", ""
		case namedSegment.MatchString(s):
			meant, segments[i] = "`*` stands for any one segment", "*"
		case strings.Contains(s, "{") && strings.HasSuffix(s, "}"):
			meant = "`*` stands for any one segment"
		}
	}
	if meant != "" {
		return expected + ": " + meant, didYouMean(strings.Join(segments, "/"))
	}
	if regularExpression.MatchString(p) {
		return expected + ": a path is no regular expression", didYouMean(meantByExpression(p))
	}
	problem, suggestion := checkPath(p)
	hint = didYouMean(suggestion)
	for _, s := range segments {
		if problem == "" && s != "*" && strings.Contains(s, "*") {
			problem = expected + ": `*` stands for one whole segment"
		}
	}
	if before, found := strings.CutSuffix(p, "**"); found {
		if !strings.HasPrefix(before, "/") {
			before = "/" + before
		}
		if hint = didYouMean(strings.TrimSuffix(before, "/") + "/"); hint != "" {
			hint += " it covers all below it"
		}
	} else if before, found := strings.CutSuffix(p, "*"); found && hint == "" {
		hint = didYouMean(before + "/")
	}
	return problem, hint
}

// meantByExpression is the path that matches what a regular expression does, as far as
// that is plain to see.
func meantByExpression(p string) string {
	p = strings.TrimSuffix(strings.TrimPrefix(p, "^"), "$")
	below := anythingBelow.MatchString(p)
	p = strings.TrimSuffix(anythingBelow.ReplaceAllString(p, ""), "(")
	p = oneSegment.ReplaceAllString(p, "*")
	p = strings.NewReplacer(`\.`, ".", `\-`, "-", `\/`, "/").Replace(p)
	if below {
		p = strings.TrimSuffix(p, "/") + "/"
	}
	return p
}

// didYouMean suggests a path for a route, unless that is none either.
func didYouMean(p string) string {
	if problem, _ := checkPath(p); problem != "" || strings.ContainsAny(p, "()$+") {
		return ""
	}
	for s := range strings.SplitSeq(p, "/") {
		if s != "*" && strings.Contains(s, "*") {
			return ""
		}
	}
	return "did you mean " + p + "?"
}
