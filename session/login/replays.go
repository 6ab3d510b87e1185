package login

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxReplays bounds how many ids are remembered. What is remembered has a provider's
// signature, so that only a provider can fill it.
const maxReplays = 1 << 15

// replays remembers the ids of tokens for as long as each could be shown again. The zero
// value is ready.
type replays struct {
	mu    sync.Mutex
	until map[replayKey]time.Time
	// order has them as they came. Tokens live for about equally long, so the first are
	// the first to be over.
	order []replayKey
}

type replayKey [sha256.Size]byte

// replayOf needs a separator that no issuer has: an id is only one at its issuer.
func replayOf(issuer, id string) replayKey { return sha256.Sum256([]byte(issuer + "\x00" + id)) }

// first remembers an id and reports whether it was not there.
func (m *replays) first(key replayKey, until, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = make(map[replayKey]time.Time)
	}
	if end, there := m.until[key]; there && now.Before(end) {
		return false
	}
	for len(m.order) > 0 && (len(m.order) >= maxReplays || !now.Before(m.until[m.order[0]])) {
		delete(m.until, m.order[0])
		m.order = m.order[1:]
	}
	m.until[key] = until
	m.order = append(m.order, key)
	return true
}

// again takes an id back: what it stood for was not done, and may be asked for again.
func (m *replays) again(key replayKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, key) // its place in order is found empty, and passed over
}
