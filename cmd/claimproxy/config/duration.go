package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const durationExpected = "a duration such as 90s, 15m, 8h, 7d or 1h30m, from 1s up"

var (
	durationPattern = regexp.MustCompile(`^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)
	durationUnits   = []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
)

// duration decodes a number with a unit, or several from the largest down.
func (l *loader) duration(n *yaml.Node, to *time.Duration, path string) bool {
	if !isText(n) {
		f := l.fault(n, path, "expected %s, got %s", durationExpected, l.describe(n))
		if n.Tag == "!!int" {
			f.hint("say the unit: %ss, %sm or %sh", n.Value, n.Value, n.Value)
		}
		return false
	}
	m := durationPattern.FindStringSubmatch(n.Value)
	if m == nil || n.Value == "" {
		f := l.fault(n, path, "expected %s, got %s", durationExpected, quote(n.Value))
		if meant := meantDuration(n.Value); meant != "" {
			f.hint("did you mean %s?", meant)
		}
		return false
	}
	var sum time.Duration
	for i, unit := range durationUnits {
		if m[i+1] == "" {
			continue
		}
		k, err := strconv.ParseInt(m[i+1], 10, 64)
		if err != nil || k > int64((math.MaxInt64-sum)/unit) {
			l.fault(n, path, "expected a duration below 292 years, got %s", quote(n.Value))
			return false
		}
		sum += time.Duration(k) * unit
	}
	if sum < time.Second {
		l.fault(n, path, "expected a duration from 1s up, got %s", quote(n.Value))
		return false
	}
	*to = sum
	return true
}

var (
	isoDuration  = regexp.MustCompile(`^p([0-9]+[wd])?(?:t([0-9hms]+))?$`)
	durationPart = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([a-z]+)(?: ?and|,)? ?`)
)

// otherUnits are units as other programs write them.
var otherUnits = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day, "w": 7 * day, "wk": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"mo": 30 * day, "month": 30 * day, "months": 30 * day, "y": 365 * day, "yr": 365 * day, "year": 365 * day, "years": 365 * day,
}

const day = 24 * time.Hour

// meantDuration writes 2 weeks, 1.5h and PT30M as the file does; "" for what is no
// duration in any notation.
func meantDuration(text string) string {
	rest := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	if m := isoDuration.FindStringSubmatch(rest); m != nil {
		rest = m[1] + m[2]
	}
	seconds := 0.0
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil || otherUnits[m[2]] == 0 {
			return ""
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return ""
		}
		seconds += n * otherUnits[m[2]].Seconds()
		rest = rest[len(m[0]):]
	}
	if seconds < 1 || seconds != math.Trunc(seconds) || seconds > (100*365*day).Seconds() {
		return ""
	}
	return formatDuration(time.Duration(seconds) * time.Second)
}

// formatDuration writes a duration as the file does.
func formatDuration(d time.Duration) string {
	if d < time.Second {
		return d.String()
	}
	text := ""
	for i, unit := range durationUnits {
		if n := d / unit; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + "dhms"[i:i+1]
		}
		d %= unit
	}
	return text
}
