package bearer

import (
	"encoding/binary"
	"sync/atomic"
)

// sights tells tokens that have been seen before from those that are new. A JWT that is
// checked here costs less than to remember it, unless it comes again: most programs that
// have a new one for each request never send one twice, and thousands of those in a second
// would drive out of the cache what others ask the provider for.
//
// It is a table of fixed size that forgets: of a token that comes again after many others
// it may say that it is new, and one in four thousand million is taken for another one.
// Either costs time and nothing else. The zero value has seen nothing.
type sights struct {
	slots [1 << 17]atomic.Uint32
}

// again notes that a token was seen, and says whether it had been before.
func (s *sights) again(k key) bool {
	slot := &s.slots[binary.LittleEndian.Uint32(k[0:])%uint32(len(s.slots))]
	tag := binary.LittleEndian.Uint32(k[4:]) | 1 // zero is an empty slot
	return slot.Load() == tag || slot.Swap(tag) == tag
}
