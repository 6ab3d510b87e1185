package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// extra is something that is measured in another way than in turns of as many requests as
// there can be, and has a table of its own.
type extra struct {
	name    string
	measure func(w *world) (*table, error)
}

var extras = []extra{
	{"latency at half of what the bare proxy can", atHalf},
	{"memory and start", idling},
	{"replicas on one Redis", replicas},
}

// table is what an extra prints.
type table struct {
	Name    string     `json:"name"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

func (t *table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
	for _, cells := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// series are figures of the same thing, one of each round.
type series []float64

// cell is the median with the spread.
func (s series) cell(format string) string {
	if len(s) == 0 {
		return "-"
	}
	s = slices.Sorted(slices.Values(s))
	return fmt.Sprintf(format+" ("+format+"-"+format+")", median(s), s[0], s[len(s)-1])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
