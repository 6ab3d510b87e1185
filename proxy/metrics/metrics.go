// Package metrics counts what happened, for Prometheus. It observes the same events as
// the audit log; nothing that happens here changes what becomes of a request.
//
// What it promises:
//
//   - The configuration alone decides how many series there are. A label holds the name
//     of a route or a policy, or a word of a short list, and never anything that a
//     client sent: no host, path, method or subject. What is not on the list is counted
//     under an empty name or the word "other".
//   - Series live as long as the process. Another configuration goes on counting where
//     the one before it stopped: Observer is made anew, Metrics is not.
//   - Everything is in a registry of its own, so that no package that is linked in can
//     add to it.
package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/limit"
)

// Config is what Metrics are made of.
type Config struct {
	// Version, Revision and GoVersion tell which build this is.
	Version, Revision, GoVersion string
	// AuditLost is how many lines of the audit log were lost; nil stands for an audit
	// log that is not written.
	AuditLost func() uint64
	// Servers says how it stands with the servers of upstreams; nil knows of none.
	Servers func() []proxy.ServerState
	// Sessions is how many sessions there are, and SessionsInMemory how many of them are
	// answered from memory, and whether that is known; nil knows of none.
	Sessions, SessionsInMemory func() (n int, ok bool)
	// UnderWay is how many requests are; nil stands for none.
	UnderWay func() int64
	// Certificates are those that the listeners show; nil knows of none.
	Certificates func() []Certificate
}

// Certificate is one of the listeners'.
type Certificate struct {
	// Host is what it is for, of several hosts the first.
	Host string
	Ends time.Time
}

// Metrics is all that is counted in a process.
type Metrics struct {
	registry *prometheus.Registry
	identities
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	shadows   *prometheus.CounterVec
	leftOut   prometheus.Counter
	reloads   *prometheus.CounterVec
	// upstreamErrors are by server, those that another server made up for among them.
	upstreamErrors *prometheus.CounterVec
	acceptErrors   prometheus.Counter
	limited        map[string]prometheus.Counter // by limit
	// loaded is whether the last configuration came to work, and loadedAt since when the
	// one at work is.
	loaded, loadedAt prometheus.Gauge
}

// seconds are the bounds of the buckets for durations: from an answer out of a cache
// to one that somebody has given up waiting for.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// New makes Metrics in which nothing has been counted yet.
func New(c Config) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		identities: newIdentities(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_requests_total",
			Help: "Requests, by how they came out. The route is empty where none matched; route, decision and reason are empty for claimproxy's own pages, where no limit was met; the policy is empty where a condition without a name decided, or none.",
		}, []string{"route", "policy", "decision", "reason", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "claimproxy_request_duration_seconds",
			Help:    "How long requests took until the last byte of the answer. Websockets are not among them.",
			Buckets: seconds,
		}, []string{"route"}),
		shadows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_shadow_differences_total",
			Help: "Requests on which a shadow came to another outcome than the rule that it stands beside: the decision that was made, and what the shadow says.",
		}, []string{"route", "policy", "decision", "shadow"}),
		leftOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "claimproxy_header_values_left_out_total",
			Help: "Values of identity headers that were left out because an upstream could take them for something else.",
		}),
	}
	m.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "claimproxy_config_reloads_total",
		Help: "Configurations that were loaded, the first one among them, by whether they came to work.",
	}, []string{"result"})
	m.upstreamErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "claimproxy_upstream_errors_total",
		Help: "Requests that a server of an upstream gave no answer to, those that another one answered then among them: unreachable, timeout or broken.",
	}, []string{"upstream", "server", "result"})
	m.acceptErrors = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "claimproxy_accept_errors_total",
		Help: "Times that a connection could not be taken, as when no file descriptors are left. It is tried again.",
	})
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "claimproxy_limited_total",
		Help: "Requests and connections that were refused because a limit was met, by its key below limits.",
	}, []string{"limit"})
	m.limited = make(map[string]prometheus.Counter, len(limit.Names))
	for _, name := range limit.Names {
		m.limited[name] = limited.WithLabelValues(name)
	}
	underWay := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "claimproxy_requests_in_flight",
		Help: "Requests that are under way, websockets and other streams among them; limits.requests is how many may be.",
	}, func() float64 {
		if c.UnderWay == nil {
			return 0
		}
		return float64(c.UnderWay())
	})
	m.loaded = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "claimproxy_config_last_reload_successful",
		Help: "1 if the configuration that was loaded last is at work; 0 if it has a fault and an older one is.",
	})
	m.loadedAt = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "claimproxy_config_last_reload_success_timestamp_seconds",
		Help: "When the configuration that is at work was loaded.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "claimproxy_build_info",
		Help: "Always 1; the labels tell which build this is.",
		ConstLabels: prometheus.Labels{
			"version": c.Version, "revision": c.Revision, "goversion": c.GoVersion,
		},
	})
	build.Set(1)
	auditLost := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "claimproxy_audit_lost_total",
		Help: "Lines of the audit log that were lost, because the queue was full or writing failed.",
	}, func() float64 {
		if c.AuditLost == nil {
			return 0
		}
		return float64(c.AuditLost())
	})
	m.registry.MustRegister(m.identities.all()...)
	m.registry.MustRegister(newNow(&c), m.upstreamErrors, m.acceptErrors, limited, underWay, m.requests, m.durations, m.shadows, m.leftOut, m.reloads, m.loaded, m.loadedAt, auditLost, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// AcceptFailed counts a connection that could not be taken.
func (m *Metrics) AcceptFailed() { m.acceptErrors.Inc() }

// Limited counts something that a limit, by its name, has refused.
func (m *Metrics) Limited(name string) {
	if c := m.limited[name]; c != nil {
		c.Inc()
	}
}

// Reloaded counts a configuration that was loaded, and tells whether it came to work.
func (m *Metrics) Reloaded(ok bool, at time.Time) {
	if !ok {
		m.reloads.WithLabelValues("failed").Inc()
		m.loaded.Set(0)
		return
	}
	m.reloads.WithLabelValues("ok").Inc()
	m.loaded.Set(1)
	m.loadedAt.Set(float64(at.UnixMilli()) / 1e3)
}

// Handler answers with everything that was counted, in the format that the client
// asks for. What cannot be collected is told to the log, which may be nil.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		// Somebody who asks all the time does not get all the time there is.
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelError),
	})
}
