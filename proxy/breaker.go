package proxy

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A server that takes requests and answers none in time holds each of them for the whole of
// its upstream's timeout, and everybody who waits for it holds memory and a connection here.
// After some such requests in a row it therefore gets one request in a while: the others
// are answered at once, or by another server, until one of those has been answered.
//
// Requests alone do not decide that: somebody who asks again and again for the one page that
// takes too long would keep a server from everybody that is well but for that. So it is
// asked by claimproxy as well, for nothing in particular, and any answer will do.
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
	late := s.late.Add(1)
	if late == tolerated {
		p.log.Warn("a server of an upstream does not answer in time and gets one request in a while", "upstream", upstream, "server", s.name, "while", rest.String())
	}
	if late >= tolerated {
		p.lookWhether(upstream, s)
	}
}

// lookPause is the least time between two questions of our own to a server that hangs.
const lookPause = time.Second

// lookWhether asks a server that hangs, beside everything else, whether it answers.
func (p *pool) lookWhether(upstream string, s *server) {
	now, before := p.now().UnixMilli(), s.looked.Load()
	if now-before < lookPause.Milliseconds() || !s.looking.CompareAndSwap(false, true) {
		return
	}
	s.looked.Store(now)
	go func() {
		defer s.looking.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
		defer cancel()
		path := p.health
		if path == "" {
			path = "/"
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String()+path, nil)
		if err != nil {
			return
		}
		req.Header.Set("User-Agent", "claimproxy")
		if res, err := s.send(nil, req, false); err == nil {
			res.Body.Close()
			p.wasThere(upstream, s, true)
		}
	}()
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

// someHang says whether that is why no server is left, and looks whether it is still so.
func (p *pool) someHang(upstream string) bool {
	for _, s := range p.servers {
		if s.hangs() {
			p.lookWhether(upstream, s)
		}
	}
	return slices.ContainsFunc(p.servers, (*server).hangs)
}

// nameOf is the name of the upstream that an exchange goes to.
func nameOf(x *exchange) string {
	if x == nil {
		return ""
	}
	return x.upstream
}
