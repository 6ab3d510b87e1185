package limit

import (
	"net/netip"
	"sync"
)

// tallies are how many of something the networks have at the moment. There is one for
// each network that has any, so that there are no more of them than of those. The zero
// value is ready.
type tallies struct {
	shards [shards]struct {
		mu sync.Mutex
		of map[netip.Prefix]int
	}
}

// add counts one more, unless there are most already; zero is no bound. Who has no address
// is not counted.
func (t *tallies) add(from netip.Addr, most int) bool {
	network := networkOf(from)
	if !network.IsValid() {
		return true
	}
	s := &t.shards[shardOf(network)]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.of[network]
	if most > 0 && n >= most {
		return false
	}
	if s.of == nil {
		s.of = map[netip.Prefix]int{}
	}
	s.of[network] = n + 1
	return true
}

// remove counts one less.
func (t *tallies) remove(from netip.Addr) {
	network := networkOf(from)
	if !network.IsValid() {
		return
	}
	s := &t.shards[shardOf(network)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[network]--; s.of[network] <= 0 {
		delete(s.of, network)
	}
}
