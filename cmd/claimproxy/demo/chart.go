package demo

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Charts are SVG inside the page. Colours come from the stylesheet by class, so
// that they follow light and dark.

// maxSeries is how many versions one chart tells apart; the oldest are summed up.
const maxSeries = 5

// svg collects the elements of one chart.
type svg struct{ strings.Builder }

func newSVG(width, height int, label string) *svg {
	s := new(svg)
	s.printf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(label))
	return s
}

func (s *svg) printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func (s *svg) text(x, y float64, class, anchor, text string) {
	s.printf(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

func (s *svg) done() template.HTML {
	s.WriteString("</svg>")
	return template.HTML(s.String())
}

// series is one layer of the stacked chart.
type series struct {
	Name   string
	Class  string // s1 is the newest
	Total  int
	counts [weeks]int
}

// versionSeries counts reports per week and version, the newest version first.
func versionSeries(samples []sample, now time.Time) []series {
	byVersion := make(map[string]*series)
	for _, s := range samples {
		w := weekOf(s.Time, now)
		if w < 0 {
			continue
		}
		v := byVersion[s.Version]
		if v == nil {
			v = &series{Name: s.Version}
			byVersion[s.Version] = v
		}
		v.counts[w]++
		v.Total++
	}
	all := make([]series, 0, len(byVersion))
	for _, v := range byVersion {
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b series) int { return compareVersions(b.Name, a.Name) })
	if len(all) > maxSeries {
		older := series{Name: "older"}
		for _, v := range all[maxSeries-1:] {
			older.Total += v.Total
			for w, n := range v.counts {
				older.counts[w] += n
			}
		}
		all = append(all[:maxSeries-1], older)
	}
	for i := range all {
		all[i].Class = "s" + strconv.Itoa(i+1)
	}
	return all
}

// compareVersions orders 25.8 before 25.12, and what is no version before all.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		an, aerr := strconv.Atoi(as[i])
		bn, berr := strconv.Atoi(bs[i])
		if aerr != nil || berr != nil {
			return cmp.Or(boolCompare(aerr == nil, berr == nil), cmp.Compare(a, b))
		}
		if an != bn {
			return cmp.Compare(an, bn)
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// reportsChart stacks reports per week by version.
func reportsChart(all []series, now time.Time) template.HTML {
	const (
		width, height            = 1080, 300
		left, right, top, bottom = 36.0, 8.0, 10.0, 26.0
	)
	s := newSVG(width, height, "Reports per week, by version")
	var totals [weeks]int
	for _, v := range all {
		for w, n := range v.counts {
			totals[w] += n
		}
	}
	step, lines := niceSteps(slices.Max(totals[:]))
	highest := float64(step * lines)
	x := func(w int) float64 { return left + (width-left-right)*float64(w)/(weeks-1) }
	y := func(n int) float64 { return top + (height-top-bottom)*(1-float64(n)/highest) }
	for i := range lines + 1 {
		s.printf(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, width-right, y(i*step), y(i*step))
		s.text(left-8, y(i*step)+4, "tick", "end", strconv.Itoa(i*step))
	}
	var below [weeks]int
	for _, v := range slices.Backward(all) { // the oldest at the bottom
		var path strings.Builder
		for w := range weeks {
			fmt.Fprintf(&path, "%s%.1f %.1f", [2]string{"L", "M"}[btoi(w == 0)], x(w), y(below[w]+v.counts[w]))
		}
		for w := weeks - 1; w >= 0; w-- {
			fmt.Fprintf(&path, "L%.1f %.1f", x(w), y(below[w]))
			below[w] += v.counts[w]
		}
		s.printf(`<path class="%s" d="%sZ"/>`, v.Class, path.String())
	}
	month := weekBegin(0, now).Month()
	for w := range weeks {
		begin := weekBegin(w, now)
		if begin.Month() != month {
			month = begin.Month()
			s.text(x(w), height-8, "tick", "middle", begin.Format("Jan"))
		}
		half := (width - left - right) / (weeks - 1) / 2
		s.printf(`<rect class="hit" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			x(w)-half, top, 2*half, height-top-bottom, fmt.Sprintf("week of %s: %d reports", begin.Format("2 January"), totals[w]))
	}
	return s.done()
}

// weekBegin is when a week of the charts begins.
func weekBegin(w int, now time.Time) time.Time { return now.UTC().Add(-time.Duration(weeks-w) * week) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// niceSteps returns a round number, and how many times it takes to reach the
// highest value: at most five.
func niceSteps(highest int) (step, times int) {
	highest = max(highest, 1)
	for scale := 1; ; scale *= 10 {
		for _, n := range []int{1, 2, 5} {
			if step = n * scale; step*5 >= highest {
				return step, (highest + step - 1) / step
			}
		}
	}
}

// barsChart shows shares as horizontal bars.
func barsChart(label string, all []share) template.HTML {
	const (
		width, row  = 360, 30
		left, right = 156.0, 48.0
	)
	s := newSVG(width, max(len(all), 1)*row, label)
	most, sum := 1, 0
	for _, v := range all {
		most, sum = max(most, v.Count), sum+v.Count
	}
	for i, v := range all {
		middle := float64(i*row) + row/2
		s.text(left-10, middle+4, "name", "end", shorten(v.Value, 21))
		s.printf(`<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="14" rx="3"><title>%s: %d reports</title></rect>`,
			left, middle-7, max(2, (width-left-right)*float64(v.Count)/float64(most)), html.EscapeString(v.Value), v.Count)
		s.text(width-4, middle+4, "tick", "end", fmt.Sprintf("%.0f %%", 100*float64(v.Count)/float64(sum)))
	}
	if len(all) == 0 {
		s.text(width/2, row/2+4, "tick", "middle", "no reports yet")
	}
	return s.done()
}

// hoursChart shows on which days and at which hours reports come.
func hoursChart(samples []sample) template.HTML {
	const (
		cell, gap = 11.4, 2.0
		row       = 24.0 // so that the chart is as high as its neighbours
		left, top = 36.0, 4.0
		shades    = 5
		width     = 360
		height    = 212
	)
	s := newSVG(width, height, "Reports by weekday and hour, UTC")
	var counts [7][24]int
	most := 1
	for _, one := range samples {
		at := one.Time.UTC()
		n := &counts[(at.Weekday()+6)%7][at.Hour()] // the week begins on Monday
		*n++
		most = max(most, *n)
	}
	for d, day := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		y := top + float64(d)*(row+gap)
		s.text(left-8, y+row/2+4, "tick", "end", day)
		for h, n := range counts[d] {
			s.printf(`<rect class="h%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2.5"><title>%s %d:00, %d reports</title></rect>`,
				(n*shades+most-1)/most, left+float64(h)*(cell+gap), y, cell, row, day, h, n)
		}
	}
	for h := 0; h < 24; h += 6 {
		s.text(left+float64(h)*(cell+gap), height-8, "tick", "start", fmt.Sprintf("%d:00", h))
	}
	return s.done()
}
