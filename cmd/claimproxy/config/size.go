package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Size is a number of bytes. In the file it has a unit: 512KiB, 64MiB, 2GiB, or 100B.
// The zero value is no limit.
type Size int64

const sizeExpected = "a size such as 512KiB, 64MiB or 2GiB"

var (
	sizePattern = regexp.MustCompile(`^([0-9]+)(B|KiB|MiB|GiB)$`)
	sizeUnits   = map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	// otherSize is how other programs write sizes.
	otherSize = regexp.MustCompile(`^([0-9]+) ?([kmg]?)i?b?$`)
)

func (s *Size) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		l.fault(n, path, "expected %s, got %s", sizeExpected, l.describe(n))
		return false
	}
	m := sizePattern.FindStringSubmatch(n.Value)
	if m == nil {
		f := l.fault(n, path, "expected %s, got %s", sizeExpected, quote(n.Value))
		if other := otherSize.FindStringSubmatch(strings.ToLower(n.Value)); other != nil && strings.Trim(other[1], "0") != "" {
			unit := "B"
			if other[2] != "" {
				unit = strings.ToUpper(other[2]) + "iB"
			}
			f.hint("did you mean %s%s?", other[1], unit)
		}
		return false
	}
	k, err := strconv.ParseInt(m[1], 10, 64)
	switch unit := sizeUnits[m[2]]; {
	case err != nil || k > math.MaxInt64/unit:
		l.fault(n, path, "expected a size below 8 EiB, got %s", quote(n.Value))
		return false
	case k == 0:
		f := l.fault(n, path, "expected a size above zero, got %s", quote(n.Value))
		if strings.HasSuffix(path, "max_body") {
			f.hint("to take no body at all, leave out the methods that have one")
		}
		return false
	default:
		*s = Size(k * unit)
	}
	return true
}
