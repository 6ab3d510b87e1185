package proxy

import (
	"fmt"
	"slices"
	"time"
)

// A server that takes requests and answers none in time holds each of them for the whole of
// its upstream's timeout, and everybody who waits for it holds memory and a connection here.
// After some such requests in a row it therefore gets one request in a while: the others
// are answered at once, or by another server, until one of those has been answered.
//
// Only time-outs count. A server that refuses connections costs nothing, and is back the
// moment that it takes them again.

// errHangs says that the only server that there is gets no more than a probe now and then.
var errHangs = fmt.Errorf("%w: it has not answered in time, and gets one request in %v until it does", errNoServer, rest)

// hangs reports whether requests are held back from a server.
func (s *server) hangs() bool { return s.late.Load() >= tolerated }

// mayProbe reports whether a server that hangs may be sent a request. Of all who ask, one
// in each rest is let through, whatever became of the one before it: its client may have
// gone away.
func (s *server) mayProbe(now time.Time) bool {
	before := s.rests.Load()
	return before <= now.UnixMilli() && s.rests.CompareAndSwap(before, now.Add(rest).UnixMilli())
}

// wasLate notes that a server did not answer in time.
func (p *pool) wasLate(upstream string, s *server) {
	if s.late.Add(1) == tolerated {
		p.log.Warn("a server of an upstream does not answer in time and gets one request in a while", "upstream", upstream, "server", s.name, "while", rest.String())
	}
}

// wasThere notes that a server has answered, or has refused to listen, which takes no time
// either.
func (p *pool) wasThere(upstream string, s *server, answered bool) {
	if s.late.Load() == 0 {
		return
	}
	if s.late.Swap(0) >= tolerated && answered {
		s.rests.Store(0)
		p.log.Info("a server of an upstream works again", "upstream", upstream, "server", s.name)
	}
}

// someHangs says why no server is left.
func (p *pool) someHangs() bool { return slices.ContainsFunc(p.servers, (*server).hangs) }

// nameOf is the name of the upstream that an exchange goes to.
func nameOf(x *exchange) string {
	if x == nil {
		return ""
	}
	return x.upstream
}
