package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// result is what came of one contender in one row.
type result struct {
	Row       string       `json:"row"`
	Contender string       `json:"contender"`
	Peak      int          `json:"peak_bytes"`
	Turns     []turnResult `json:"turns"`
}

const (
	headings = "| row | contender | req/s | x | p50 | p99 | CPU ms per 1,000 | x | spread | peak MB |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
	line     = "| %s | %s | %.0f | %.2f | %.2f ms | %.2f ms | %.1f | **%.2f** | %.2f-%.2f | %.0f |\n"
)

// printRow prints the medians of a row as lines of a Markdown table.
func printRow(w io.Writer, results []result, first bool) {
	if first {
		fmt.Fprint(w, headings)
	}
	for _, r := range results {
		ms := func(of func(t *turnResult) time.Duration) float64 {
			return r.median(func(t *turnResult) float64 { return float64(of(t)) / float64(time.Millisecond) })
		}
		ratios := r.sorted(func(t *turnResult) float64 { return t.CPUX })
		fmt.Fprintf(w, line, r.Row, r.Contender,
			r.median(func(t *turnResult) float64 { return t.Rate }), r.median(func(t *turnResult) float64 { return t.RateX }),
			ms(func(t *turnResult) time.Duration { return t.P50 }), ms(func(t *turnResult) time.Duration { return t.P99 }),
			1000*ms(func(t *turnResult) time.Duration { return t.CPU }), median(ratios), ratios[0], ratios[len(ratios)-1],
			float64(r.Peak)/1e6)
	}
}

func (r *result) sorted(of func(t *turnResult) float64) []float64 {
	values := make([]float64, len(r.Turns))
	for i := range r.Turns {
		values[i] = of(&r.Turns[i])
	}
	slices.Sort(values)
	return values
}

func (r *result) median(of func(t *turnResult) float64) float64 { return median(r.sorted(of)) }

// median of values that are sorted.
func median(values []float64) float64 {
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
