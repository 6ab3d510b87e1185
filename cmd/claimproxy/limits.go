package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session/login"
)

// limitsOf are the limits of a configuration.
func limitsOf(cfg *config.Config) limit.Limits {
	l := &cfg.Limits
	return limit.Limits{
		Requests: int(l.Requests), HeaderFields: int(l.HeaderFields), BodyTimeout: l.BodyTimeout, BodyRate: int64(l.BodyRate),
		Connections: int(l.ConnectionsPerAddress), Proxies: trusted(cfg).Networks,
		SignIns: int(l.SignInsPerMinute), FailedTokens: int(l.FailedTokensPerMinute),
	}
}

// stepOf says which of the pages where people sign in are bounded.
func stepOf(pages *login.Handler) func(path string) limit.Step {
	return func(path string) limit.Step {
		switch pages.StepOf(path) {
		case login.StepStart:
			return limit.Start
		case login.StepReturn:
			return limit.Return
		}
		return limit.NoStep
	}
}

const (
	// limitedQuiet is how long nothing more is said about an address that meets a limit.
	limitedQuiet = 10 * time.Minute
	// maxLimited is of how many addresses something is said within that time.
	maxLimited = 100
)

// limited tells the log of addresses that meet a limit, each once in a while. The zero
// value has told of none.
type limited struct {
	mu    sync.Mutex
	since time.Time
	told  map[meeting]bool
}

// meeting is of a limit and an address.
type meeting struct{ limit, client string }

// meet tells of one, unless it was told lately.
func (l *limited) meet(log *slog.Logger, m meeting, now time.Time) {
	l.mu.Lock()
	if now.Sub(l.since) >= limitedQuiet {
		l.since, l.told = now, map[meeting]bool{}
	}
	n, known := len(l.told), l.told[m]
	if !known && n <= maxLimited {
		l.told[m] = true
	}
	l.mu.Unlock()
	switch {
	case known || n > maxLimited:
	case n == maxLimited:
		log.Warn("further addresses meet limits; none is named for a while", "limit", "limits."+m.limit, "for", limitedQuiet.String())
	default:
		log.Warn("a limit is met", "limit", "limits."+m.limit, "client_ip", m.client, "look_at", lookAt[m.limit])
	}
}

// lookAt is what to look at when a limit is met.
var lookAt = map[string]string{
	limit.Requests:      "what all these requests wait for, claimproxy_requests_in_flight, and whether there is memory for more",
	limit.HeaderFields:  "whether a program adds the same field again and again, or a proxy loops",
	limit.HeaderTimeout: "whether this address keeps connections without finishing a request on them, or the network is slow",
	limit.BodyTimeout:   "whether this address keeps the application waiting, or the network is slow",
	limit.Connections:   "whether this is an attacker, many people behind one address, or a proxy that belongs into trusted_proxies",
	limit.SignIns:       "whether this is an attacker, a program that follows redirects without keeping cookies, or a proxy that belongs into trusted_proxies",
	limit.FailedTokens:  "whether somebody guesses tokens, or this is a proxy that belongs into trusted_proxies",
}
