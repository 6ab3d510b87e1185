package demo

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Bounds on what the application keeps: everybody may submit.
const (
	maxSamples  = 20000 // for each product; the oldest go first
	maxProducts = 50
	weeks       = 26 // how far back the charts look
)

const week = 7 * 24 * time.Hour

// sample is one report of one installed program, with the names of KUserFeedback.
type sample struct {
	Time     time.Time `json:"timestamp"`
	Version  string    `json:"applicationVersion"`
	Platform string    `json:"platform"`
	Qt       string    `json:"qtVersion"`
	Starts   int       `json:"startCount"`
	Usage    int       `json:"usageTime"` // seconds
}

// product is a program that reports.
type product struct {
	Name      string `json:"name"`
	Title     string `json:"title"`
	Reports   int    `json:"reports"`   // in the time the charts show
	Submitted int    `json:"submitted"` // since the application started

	samples []sample // by time of arrival
}

// telemetry is all data of the application. What it has got beyond the made-up
// beginning is forgotten when the program ends.
type telemetry struct {
	now func() time.Time

	mu        sync.Mutex
	products  map[string]*product
	order     []string // names of the products, the first made first
	submitted int
	listeners map[chan struct{}]struct{}
}

func newTelemetry(now func() time.Time) *telemetry {
	t := &telemetry{now: now, products: make(map[string]*product), listeners: make(map[chan struct{}]struct{})}
	for _, p := range madeUp(now()) {
		p.Reports = len(p.samples)
		t.add(p)
	}
	return t
}

func (t *telemetry) add(p *product) {
	t.products[p.Name] = p
	t.order = append(t.order, p.Name)
}

// list returns the products, the first made first, without their samples.
func (t *telemetry) list() []product {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]product, 0, len(t.products))
	for _, name := range t.order {
		p := *t.products[name]
		p.samples = nil
		all = append(all, p)
	}
	return all
}

// find returns a product with its samples of the time the charts show.
func (t *telemetry) find(name string) (product, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.products[name]
	if !ok {
		return product{}, false
	}
	found := *p
	found.samples = slices.Clone(p.samples)
	return found, true
}

// create adds a product; full is true when there are too many already.
func (t *telemetry) create(name, title string) (created, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.products[name]; there {
		return false, false
	}
	if len(t.products) >= maxProducts {
		return false, true
	}
	t.add(&product{Name: name, Title: title})
	t.tell()
	return true, false
}

// submit adds a report and tells who listens. It reports whether the product is
// known.
func (t *telemetry) submit(name string, s sample) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.products[name]
	if !ok {
		return false
	}
	p.samples = append(p.samples, s)
	p.Reports++
	p.Submitted++
	t.submitted++
	if over := len(p.samples) - maxSamples; over > 0 {
		p.samples = slices.Delete(p.samples, 0, over)
		p.Reports -= over
	}
	t.tell()
	return true
}

// listen returns a channel that gets a value after changes, several changes
// perhaps in one, and a function that ends this.
func (t *telemetry) listen() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	t.mu.Lock()
	t.listeners[c] = struct{}{}
	t.mu.Unlock()
	return c, func() {
		t.mu.Lock()
		delete(t.listeners, c)
		t.mu.Unlock()
	}
}

// tell wakes those who listen; the mutex is held.
func (t *telemetry) tell() {
	for c := range t.listeners {
		select {
		case c <- struct{}{}:
		default: // a value waits there already
		}
	}
}

// numbers are what the event stream sends.
type numbers struct {
	Running   int `json:"running"`   // made up: programs running just now
	Submitted int `json:"submitted"` // true: reports since the start
	Products  int `json:"products"`
}

func (t *telemetry) numbers() numbers {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	return numbers{Running: running(now), Submitted: t.submitted, Products: len(t.products)}
}

// share is a value and how many samples have it.
type share struct {
	Value string
	Count int
}

// shares counts the values of one field, the most frequent first; beyond limit
// they are summed up as "other".
func shares(samples []sample, field func(sample) string, limit int) []share {
	counts := make(map[string]int)
	for _, s := range samples {
		counts[field(s)]++
	}
	all := make([]share, 0, len(counts))
	for value, n := range counts {
		all = append(all, share{value, n})
	}
	slices.SortFunc(all, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	if len(all) > limit {
		rest := share{Value: "other"}
		for _, s := range all[limit-1:] {
			rest.Count += s.Count
		}
		all = append(all[:limit-1], rest)
	}
	return all
}

// weekOf returns the week, counted from the oldest that the charts show, or -1.
func weekOf(at, now time.Time) int {
	ago := now.Sub(at)
	if ago < 0 || ago >= weeks*week {
		return -1
	}
	return weeks - 1 - int(ago/week)
}
