package demo

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChartsAreWellFormed(t *testing.T) {
	data := newTelemetry(noon)
	kate, ok := data.find("org.kde.kate")
	if !ok {
		t.Fatal("no Kate")
	}
	kate.samples = append(kate.samples, sample{Time: noon().Add(-time.Hour), Version: `<&">`, Platform: `<&">`})
	for name, chart := range map[string]string{
		"reports":           string(reportsChart(versionSeries(kate.samples, noon()), noon())),
		"reports of nobody": string(reportsChart(nil, noon())),
		"bars":              string(barsChart("Platforms", shares(kate.samples, func(s sample) string { return s.Platform }, 7))),
		"no bars":           string(barsChart("Platforms", nil)),
		"hours":             string(hoursChart(kate.samples)),
		"no hours":          string(hoursChart(nil)),
	} {
		d := xml.NewDecoder(strings.NewReader(chart))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v in %s", name, err, chart)
				break
			}
		}
		if strings.Contains(chart, "NaN") || strings.Contains(chart, "%!") {
			t.Errorf("%s: %s", name, chart)
		}
	}
}

func TestVersionsAreOrderedAndSummedUp(t *testing.T) {
	var samples []sample
	for _, v := range []string{"25.12.0", "25.8.0", "26.4.0", "not told", "26.4.1", "26.8.0", "26.8.0"} {
		samples = append(samples, sample{Time: noon().Add(-time.Hour), Version: v})
	}
	samples = append(samples, sample{Time: noon().Add(-weeks * week), Version: "1.0"}, sample{Time: noon().Add(time.Hour), Version: "99"})
	var got []string
	for _, s := range versionSeries(samples, noon()) {
		got = append(got, s.Name)
	}
	if diff := cmp.Diff([]string{"26.8.0", "26.4.1", "26.4.0", "25.12.0", "older"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSharesSumUpTheRest(t *testing.T) {
	var samples []sample
	for name, n := range map[string]int{"a": 5, "b": 3, "c": 3, "d": 1, "e": 1} {
		for range n {
			samples = append(samples, sample{Platform: name})
		}
	}
	got := shares(samples, func(s sample) string { return s.Platform }, 3)
	if diff := cmp.Diff([]share{{"a", 5}, {"b", 3}, {"other", 5}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNiceSteps(t *testing.T) {
	for _, c := range [][3]int{{0, 1, 1}, {4, 1, 4}, {7, 2, 4}, {218, 50, 5}, {153, 50, 4}, {1000, 200, 5}, {1001, 500, 3}} {
		if step, times := niceSteps(c[0]); step != c[1] || times != c[2] {
			t.Errorf("%d: %d times %d, want %d times %d", c[0], times, step, c[2], c[1])
		}
	}
}

func TestMadeUpPastIsAlwaysTheSame(t *testing.T) {
	if diff := cmp.Diff(newTelemetry(noon).list(), newTelemetry(noon).list(), cmp.AllowUnexported(product{})); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}
