package metrics

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// identities counts what is done to find out who is calling: what providers are asked,
// tokens, sign-ins and renewals of sessions.
type identities struct {
	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	keys      *prometheus.CounterVec
	lookups   *prometheus.CounterVec
	hits      *prometheus.CounterVec
	logins    *prometheus.CounterVec
	renewals  *prometheus.CounterVec
}

func newIdentities() identities {
	return identities{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_provider_requests_total",
			Help: "Requests to providers, by the kind of endpoint and by what came of them: ok, refused (4xx, which is an answer), failed (any other status), or unanswered.",
		}, []string{"provider", "endpoint", "result"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "claimproxy_provider_request_duration_seconds",
			Help:    "How long requests to providers took until the reply was whole, or had failed.",
			Buckets: seconds,
		}, []string{"provider", "endpoint"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_provider_key_fetches_total",
			Help: "Times that a provider's signing keys (JWKS) were fetched: ok, or failed, where there were none that can be used.",
		}, []string{"provider", "result"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_token_lookups_total",
			Help: "Tokens of native programs that were not in the cache, by the kind of token (jwt, opaque, id_token), and whether they are good, refused, or it could not be known (unknown).",
		}, []string{"provider", "kind", "result"}),
		hits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_token_cache_hits_total",
			Help: "Tokens of native programs that were found in the cache.",
		}, []string{"provider", "kind", "result"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_logins_total",
			Help: "People who came back from a provider, signed in (ok) or with the reason why not: session-expired is a browser that does not know of having left.",
		}, []string{"provider", "result"}),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claimproxy_session_renewals_total",
			Help: "Sessions whose claims were fetched again (ok), or with the reason why not: session-ended is somebody whom the provider does not vouch for any more.",
		}, []string{"provider", "result"}),
	}
}

func (i *identities) all() []prometheus.Collector {
	return []prometheus.Collector{i.calls, i.durations, i.keys, i.lookups, i.hits, i.logins, i.renewals}
}

// The words of labels that are not the configuration's.
var (
	endpoints    = wordsOf("discovery", "jwks", "token", "userinfo", "introspection", "token_info", "revocation", "authorization")
	callResults  = wordsOf("ok", "refused", "failed", "unanswered")
	tokenKinds   = wordsOf("jwt", "opaque", "id_token")
	tokenResults = wordsOf("good", "refused", "unknown")
	outcomes     = func() words {
		w := maps.Clone(reasons)
		w["ok"] = "ok"
		return w
	}()
)

// Provider counts what one provider is asked. It is safe for concurrent use.
type Provider struct {
	m  *Metrics
	id string
}

// Provider returns what counts for the provider with that id, which is the
// configuration's.
func (m *Metrics) Provider(id string) *Provider { return &Provider{m, id} }

// Called counts one call of a kind of endpoint.
func (p *Provider) Called(endpoint, result string, took time.Duration) {
	endpoint = endpoints.of(endpoint)
	p.m.calls.WithLabelValues(p.id, endpoint, callResults.of(result)).Inc()
	p.m.identities.durations.WithLabelValues(p.id, endpoint).Observe(took.Seconds())
}

// KeysFetched counts that the signing keys were fetched, and whether there were any.
func (p *Provider) KeysFetched(ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	p.m.keys.WithLabelValues(p.id, result).Inc()
}

// LookedUp counts a token that was not in the cache.
func (m *Metrics) LookedUp(provider, kind, result string) {
	m.lookups.WithLabelValues(provider, tokenKinds.of(kind), tokenResults.of(result)).Inc()
}

// Found returns what counts the tokens of that kind that are found in the cache: one
// atomic addition, since it is on the way of each request.
func (m *Metrics) Found(provider, kind, result string) (count func()) {
	return m.hits.WithLabelValues(provider, tokenKinds.of(kind), tokenResults.of(result)).Inc
}

// SignedIn counts somebody who has come back from a provider: "ok", or a reason.
func (m *Metrics) SignedIn(provider, result string) {
	m.logins.WithLabelValues(provider, outcomes.of(result)).Inc()
}

// Renewed counts a session whose claims were to be fetched again: "ok", or a reason.
func (m *Metrics) Renewed(provider, result string) {
	m.renewals.WithLabelValues(provider, outcomes.of(result)).Inc()
}
