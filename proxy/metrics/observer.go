package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/claimproxy/claimproxy/proxy"
)

// Names are those of a configuration: the values that labels can have.
type Names struct {
	// Routes are the names of the routes, which several may share.
	Routes []string
	// Policies are the names of the policies.
	Policies []string
}

// other stands in labels for a word that is not on the list.
const other = "other"

// words maps those that a label can have to themselves.
type words map[string]string

func wordsOf(list ...string) words {
	w := make(words, len(list))
	for _, s := range list {
		w[s] = s
	}
	return w
}

// of returns a word of the list, or other.
func (w words) of(s string) string {
	if _, ok := w[s]; ok {
		return s
	}
	return other
}

var (
	decisions = wordsOf("", proxy.Allow.String(), proxy.Deny.String(), proxy.SignIn.String())
	reasons   = func() words {
		w := wordsOf("")
		for _, r := range proxy.Reasons {
			w[string(r)] = string(r)
		}
		return w
	}()
)

// classes are the values of the label status.
var classes = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) string {
	if i := status/100 - 1; i >= 0 && i < len(classes) {
		return classes[i]
	}
	return other
}

// Observer counts the events of one configuration. It is safe for concurrent use.
type Observer struct {
	m *Metrics
	// durations are those of the routes, and under "" those of everything else.
	durations map[string]prometheus.Observer
	policies  words
}

// Observer returns one for a configuration with these names.
func (m *Metrics) Observer(n Names) *Observer {
	o := &Observer{m: m, durations: make(map[string]prometheus.Observer, len(n.Routes)+1), policies: wordsOf(n.Policies...)}
	o.durations[""] = m.durations.WithLabelValues("")
	for _, r := range n.Routes {
		o.durations[r] = m.durations.WithLabelValues(r)
	}
	return o
}

// Observe counts one event.
func (o *Observer) Observe(e proxy.Event) {
	route := e.Route
	duration, ok := o.durations[route]
	if !ok {
		route, duration = "", o.durations[""]
	}
	policy := o.policies[e.Policy] // empty for a condition
	decision := decisions.of(e.Decision)
	o.m.requests.WithLabelValues(route, policy, decision, reasons.of(string(e.Reason)), classOf(e.Status)).Inc()
	if e.Status != http.StatusSwitchingProtocols {
		duration.Observe(e.Duration.Seconds())
	}
	if e.ShadowDiffers {
		o.m.shadows.WithLabelValues(route, policy, decision, decisions.of(e.Shadow)).Inc()
	}
	if e.LeftOut > 0 {
		o.m.leftOut.Add(float64(e.LeftOut))
	}
}
