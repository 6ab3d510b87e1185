package demo

import (
	"math"
	"math/rand/v2"
	"time"
)

// story is how a product's made-up past went.
type story struct {
	name, title string
	first, last float64 // reports per week, half a year ago and now
	versions    []release
	platforms   []weight
}

type release struct {
	name string
	week int // when it came out, counted as in the charts; may be before them
}

type weight struct {
	name   string
	weight float64
}

var stories = []story{
	{
		name: "org.kde.kate", title: "Kate", first: 150, last: 215,
		versions: []release{{"25.12.3", -11}, {"26.04.0", -4}, {"26.04.2", 4}, {"26.08.0", 13}, {"26.08.2", 21}},
		platforms: []weight{
			{"openSUSE Tumbleweed", 26}, {"Arch Linux", 24}, {"Kubuntu 26.04", 19}, {"Fedora 44", 14}, {"Windows 11", 11}, {"KDE neon", 8}, {"FreeBSD 15", 3},
		},
	},
	{
		name: "org.kde.marble", title: "Marble", first: 60, last: 74,
		versions: []release{{"25.12.1", -12}, {"26.04.1", 1}, {"26.08.0", 13}},
		platforms: []weight{
			{"Kubuntu 26.04", 27}, {"Debian 13", 22}, {"Arch Linux", 15}, {"Windows 11", 13}, {"Android 16", 12}, {"Fedora 44", 9},
		},
	},
	{
		name: "org.kde.okular", title: "Okular", first: 118, last: 142,
		versions: []release{{"25.12.3", -11}, {"26.04.1", 0}, {"26.08.0", 13}, {"26.08.1", 17}, {"26.08.2", 21}},
		platforms: []weight{
			{"Windows 11", 38}, {"Kubuntu 26.04", 19}, {"Fedora 44", 14}, {"Arch Linux", 12}, {"Debian 13", 11}, {"openSUSE Tumbleweed", 9},
		},
	},
}

// madeUp invents half a year of reports, the same ones each time.
func madeUp(now time.Time) []*product {
	random := rand.New(rand.NewPCG(1996, 10)) // the month KDE began
	var all []*product
	for _, s := range stories {
		p := &product{Name: s.name, Title: s.title}
		for w := range weeks {
			begin := now.Add(-time.Duration(weeks-w) * week)
			expected := s.first + (s.last-s.first)*float64(w)/(weeks-1)
			for range int(expected * (0.9 + 0.2*random.Float64())) {
				p.samples = append(p.samples, sample{
					Time:     moment(random, begin),
					Version:  version(random, s.versions, w),
					Platform: choose(random, s.platforms),
					Qt:       choose(random, qtVersions(w)),
					Starts:   1 + int(random.ExpFloat64()*9),
					Usage:    60 + int(random.ExpFloat64()*5400),
				})
			}
		}
		all = append(all, p)
	}
	return all
}

// version picks one of those that are out, the newer the likelier once people have
// had a month to upgrade.
func version(random *rand.Rand, all []release, now int) string {
	var out []weight
	for _, r := range all {
		if age := float64(now - r.week); age >= 0 {
			out = append(out, weight{r.name, math.Exp(-(age-4)*(age-4)/70) + 0.03})
		}
	}
	return choose(random, out)
}

func qtVersions(now int) []weight {
	progress := float64(now) / weeks
	return []weight{
		{"6.8", 30 * (1 - progress)}, {"6.9", 55 - 30*progress}, {"6.10", 12 + 45*progress}, {"6.11", 25 * progress * progress}, {"5.15", 5},
	}
}

// moment picks a time in the week that begins then: people report in the evening,
// on weekends all day, and in office hours.
func moment(random *rand.Rand, begin time.Time) time.Time {
	for {
		at := begin.Add(time.Duration(random.Int64N(int64(week))))
		if random.Float64() < bustle(at) {
			return at
		}
	}
}

// bustle is how busy an hour is, from 0 to 1.
func bustle(at time.Time) float64 {
	hour := float64(at.UTC().Hour()) + float64(at.Minute())/60
	hump := func(middle, width float64) float64 {
		return math.Exp(-(hour - middle) * (hour - middle) / (2 * width * width))
	}
	if day := at.UTC().Weekday(); day == time.Saturday || day == time.Sunday {
		return 0.05 + 0.55*hump(15, 4)
	}
	return 0.04 + 0.6*hump(10, 2.4) + 0.75*hump(19.5, 2.2)
}

func choose(random *rand.Rand, among []weight) string {
	sum := 0.0
	for _, w := range among {
		sum += w.weight
	}
	at := random.Float64() * sum
	for _, w := range among {
		if at -= w.weight; at < 0 {
			return w.name
		}
	}
	return among[len(among)-1].name
}

// running is a made-up number of programs in use, which drifts with the time.
func running(now time.Time) int {
	s := float64(now.Unix())
	return 1240 + int(90*math.Sin(s/97)+35*math.Sin(s/13)+12*math.Sin(s/3.1))
}
