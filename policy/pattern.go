package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// maxPattern is the length of a pattern in bytes.
const maxPattern = 1000

// compilePattern reads what stands between the slashes of /.../: an RE2 expression
// that is anchored at both ends in each of its alternatives. One that is not would
// match somewhere inside, which is what people forget.
func compilePattern(source string) (*regexp.Regexp, *fault) {
	if len(source) > maxPattern {
		return nil, &fault{fmt.Sprintf("the pattern has more than %d bytes", maxPattern), ""}
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, &fault{"the pattern cannot be read: " + patternFault(err), "it is written in the syntax of RE2, without lookahead and back references"}
	}
	if !anchored(tree, syntax.OpBeginText, first) || !anchored(tree, syntax.OpEndText, last) {
		hint := "begin it with ^ and end it with $"
		if strings.Contains(source, "|") {
			hint += ", in each alternative or around all: ^(a|b)$"
		}
		return nil, &fault{"the pattern is not anchored at both ends, so it would match inside longer values", hint}
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, &fault{"the pattern cannot be read: " + patternFault(err), ""}
	}
	return re, nil
}

// patternFault is the error of package regexp without its prefix.
func patternFault(err error) string {
	var e *syntax.Error
	if errors.As(err, &e) {
		return e.Code.String() + " in " + strconv.Quote(e.Expr)
	}
	return err.Error()
}

// anchored reports whether every match of the pattern has op at its edge.
func anchored(re *syntax.Regexp, op syntax.Op, edge func([]*syntax.Regexp) *syntax.Regexp) bool {
	switch re.Op {
	case op:
		return true
	case syntax.OpCapture:
		return anchored(re.Sub[0], op, edge)
	case syntax.OpConcat:
		return anchored(edge(re.Sub), op, edge)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !anchored(sub, op, edge) {
				return false
			}
		}
		return true
	}
	return false
}

func first(list []*syntax.Regexp) *syntax.Regexp { return list[0] }

func last(list []*syntax.Regexp) *syntax.Regexp { return list[len(list)-1] }

// durationUnits are in the order they are written in.
var durationUnits = []struct {
	letter byte
	length time.Duration
}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// parseDuration reads 15m, 12h, 7d, 1h30m: whole numbers, each unit at most once,
// the longer before the shorter, together at least a second and at most a century.
func parseDuration(s string) (time.Duration, bool) {
	const most = 100 * 365 * 24 * time.Hour
	total, next := time.Duration(0), 0
	for s != "" {
		number, rest := digits(s)
		n, err := strconv.ParseUint(number, 10, 40)
		if err != nil || rest == "" {
			return 0, false
		}
		for next < len(durationUnits) && durationUnits[next].letter != rest[0] {
			next++
		}
		if next == len(durationUnits) || n > uint64(most/durationUnits[next].length) {
			return 0, false
		}
		total += time.Duration(n) * durationUnits[next].length
		next, s = next+1, rest[1:]
	}
	return total, total >= time.Second && total <= most
}
