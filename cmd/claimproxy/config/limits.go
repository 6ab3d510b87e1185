package config

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// Limits are what one client, and all of them together, may use. None is meant to be met
// by people and programs that mean well, however many of them share an address. An address
// is a client's as TrustedProxies say it; of IPv6 it is the network of 64 bits, as whoever
// has one address there has all of them. Trusted proxies themselves, and whoever comes
// through a unix socket, have no address.
type Limits struct {
	// HeaderBytes is how large the header of a request may be, its first line included:
	// more is answered with 431. The default is 128KiB: tokens and cookies of people in
	// very many groups. It changes when claimproxy is started again.
	HeaderBytes Size `yaml:"header_bytes"`
	// HeaderFields is how many lines the header may have: more is answered with 431. The
	// default is 500, 0 is no limit.
	HeaderFields Count `yaml:"header_fields"`
	// HeaderTimeout is how long a client may take to send the header of a request: after
	// it comes 408. The default is 10s. It changes when claimproxy is started again.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
	// IdleTimeout is how long a connection may be without a request. The default is 2m. It
	// changes when claimproxy is started again.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// BodyTimeout is how long a client may let an application wait for the next piece of a
	// body: after it comes 408. It is not how long a body may take. The default is 2m.
	BodyTimeout time.Duration `yaml:"body_timeout"`
	// BodyRate is how many bytes a second a client has to send on average of BodyTimeout
	// while an application waits for them, so that a byte now and then does not hold it for
	// ever: less is answered with 408. The default is 128B, and 1B is next to none.
	BodyRate Size `yaml:"body_rate"`
	// Requests is how many requests may be under way at once, websockets and other streams
	// among them: more are answered with 503, so that a balancer takes them elsewhere. Once
	// half of that many are, one address gets at most a quarter of it more, and then 429: it
	// does not keep the others out alone. The default is 10000, 0 is no limit.
	Requests Count `yaml:"requests"`
	// ConnectionsPerAddress is how many connections an address may have open: more are
	// closed at once. The default is 1000, 0 is no limit.
	ConnectionsPerAddress Count `yaml:"connections_per_address"`
	// SignInsPerMinute is how many sign-ins an address may begin, and how many it may come
	// back from a provider with: more are answered with 429. The default is 300, 0 is no
	// limit.
	SignInsPerMinute Count `yaml:"sign_ins_per_minute"`
	// FailedTokensPerMinute is how many different tokens that are no good an address may
	// try: after that, tokens of its that are not known already are answered with 429, and
	// nobody is asked about them. The default is 300, 0 is no limit.
	FailedTokensPerMinute Count `yaml:"failed_tokens_per_minute"`
}

// Count is a number of things, from zero up.
type Count int

const countExpected = "a whole number from 0 up"

var countPattern = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func (c *Count) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || !countPattern.MatchString(n.Value) {
		f := l.fault(n, path, "expected %s, got %s", countExpected, l.describe(n))
		switch n.Value {
		case "off", "none", "false", "unlimited", "-1":
			f.hint("0 is no limit")
		}
		return false
	}
	k, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || k > math.MaxInt32 {
		l.fault(n, path, "expected a number below 2147483648, got %s", n.Value)
		return false
	}
	*c = Count(k)
	return true
}

// leastHeader is what browsers send at the least, with a cookie of ours, and mostHeader what
// no server behind would take.
const leastHeader, mostHeader = 8 << 10, 16 << 20

func (l *loader) limitsDefaults(c *Limits) {
	set := func(at *Count, value Count) {
		if !l.good(at) {
			*at = value
		}
	}
	during := func(at *time.Duration, value time.Duration) {
		if !l.good(at) {
			*at = value
		}
	}
	if !l.good(&c.HeaderBytes) {
		c.HeaderBytes = 128 << 10
	}
	if !l.good(&c.BodyRate) {
		c.BodyRate = 128
	}
	during(&c.HeaderTimeout, 10*time.Second)
	during(&c.IdleTimeout, 2*time.Minute)
	during(&c.BodyTimeout, 2*time.Minute)
	set(&c.HeaderFields, 500)
	set(&c.Requests, 10_000)
	set(&c.ConnectionsPerAddress, 1000)
	set(&c.SignInsPerMinute, 300)
	set(&c.FailedTokensPerMinute, 300)
}

func (l *loader) validateLimits(c *Limits) {
	if at := &c.HeaderBytes; l.good(at) && (*at < leastHeader || *at > mostHeader) {
		l.bad(at, "expected from 8KiB to 16MiB for a header").hint("128KiB is the default")
	}
	if at := &c.HeaderFields; l.good(at) && *at > 0 && *at < 50 {
		l.bad(at, "expected 50 fields or more: browsers and proxies send some thirty").hint("0 is no limit")
	}
}
