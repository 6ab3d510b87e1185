package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/claimproxy/claimproxy/proxy"
)

// now tells how it stands with what the configuration that is at work uses, when somebody
// asks.
type now struct {
	up, sessions, inMemory, certificates *prometheus.Desc
	c                                    *Config
}

func newNow(c *Config) *now {
	return &now{
		c: c,
		up: prometheus.NewDesc("claimproxy_upstream_up",
			"1 if a server of an upstream works, as far as is known; 0 if it could not be reached several times in a row, or is ill by its own account.",
			[]string{"upstream", "server"}, nil),
		sessions: prometheus.NewDesc("claimproxy_sessions",
			"Sessions that are kept, those that are over and not removed yet among them. With Redis they are those of all replicas, counted every few minutes: each replica tells the same number, so take the maximum and not the sum. There is no such number where sessions are in cookies, and while nobody has counted.", nil, nil),
		inMemory: prometheus.NewDesc("claimproxy_sessions_in_memory",
			"Sessions that are answered from memory: those that were used here lately and have not ended. There is no such number where sessions are in cookies.", nil, nil),
		certificates: prometheus.NewDesc("claimproxy_certificate_expiry_timestamp_seconds",
			"When a certificate ends that claimproxy shows to clients: the one from files under the first host that it names, and each that was ordered. What is to be ordered and never was has none.",
			[]string{"host"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (n *now) Describe(to chan<- *prometheus.Desc) {
	to <- n.up
	to <- n.sessions
	to <- n.inMemory
	to <- n.certificates
}

// Collect implements prometheus.Collector.
func (n *now) Collect(to chan<- prometheus.Metric) {
	for desc, ask := range map[*prometheus.Desc]func() (int, bool){n.sessions: n.c.Sessions, n.inMemory: n.c.SessionsInMemory} {
		if ask == nil {
			continue
		}
		if v, ok := ask(); ok {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(v))
		}
	}
	n.collectCertificates(to)
	if n.c.Servers == nil {
		return
	}
	type name struct{ upstream, server string }
	up := make(map[name]float64)
	for _, s := range n.c.Servers() {
		// Two routes may write the same upstream down, each for itself.
		at := name{s.Upstream, s.Server}
		if was, there := up[at]; s.Works && (!there || was == 1) {
			up[at] = 1
		} else {
			up[at] = 0
		}
	}
	for at, v := range up {
		to <- prometheus.MustNewConstMetric(n.up, prometheus.GaugeValue, v, at.upstream, at.server)
	}
}

func (n *now) collectCertificates(to chan<- prometheus.Metric) {
	if n.c.Certificates == nil {
		return
	}
	for _, c := range n.c.Certificates() {
		to <- prometheus.MustNewConstMetric(n.certificates, prometheus.GaugeValue, float64(c.Ends.Unix()), c.Host)
	}
}

var failures = wordsOf(proxy.FailedUnreachable, proxy.FailedTimeout, proxy.FailedBroken)

// UpstreamFailed counts a request that a server of an upstream gave no answer to.
func (m *Metrics) UpstreamFailed(upstream, server, how string) {
	m.upstreamErrors.WithLabelValues(upstream, server, failures.of(how)).Inc()
}
