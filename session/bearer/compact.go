package bearer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unique"

	"github.com/claimproxy/claimproxy/session"
)

// Thousands of tokens are remembered at once, and most of what they say is the same: the
// names of claims, the groups that people share, which source each claim is from. It is
// kept once.

// compact makes claims of the same content that share what others have as well.
func compact(claims session.Claims) session.Claims {
	all := make(session.Claims, len(claims))
	for name, v := range claims {
		all[unique.Make(name).Value()] = compactValue(v)
	}
	return all
}

// compactValue shares the members of lists, and what is in objects. A text by itself is
// somebody's own, and does not keep the token in memory that it is a part of.
func compactValue(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Clone(v)
	case json.Number:
		return json.Number(strings.Clone(string(v)))
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			if text, ok := e.(string); ok {
				list[i] = unique.Make(any(text)).Value() // the box is shared, too
			} else {
				list[i] = compactValue(e)
			}
		}
		return list
	case map[string]any:
		return map[string]any(compact(v))
	}
	return v
}

// sameText returns text as the claim has it, if that is the same, and else a text of its own: in
// no case the part of a whole token that it was read from.
func sameText(claim any, text string) string {
	if same, ok := claim.(string); ok && same == text {
		return same
	}
	return strings.Clone(text)
}

// maxShapes bounds how many different sets of origins are shared.
const maxShapes = 1000

// shapes are the origins of claims that identities share: the tokens of one client at one
// provider have the same ones. Identities are not changed once they are made.
type shapes struct {
	mu    sync.Mutex
	known map[string]map[string]session.Source
}

// share returns origins of the same content.
func (s *shapes) share(origins map[string]session.Source) map[string]session.Source {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(origins)) {
		fmt.Fprintf(&b, "%q %q ", name, origins[name])
	}
	shape := b.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	if same, ok := s.known[shape]; ok {
		return same
	}
	if s.known == nil || len(s.known) >= maxShapes {
		s.known = make(map[string]map[string]session.Source)
	}
	s.known[shape] = origins
	return origins
}
