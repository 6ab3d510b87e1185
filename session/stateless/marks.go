package stateless

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/claimproxy/claimproxy/session"
)

// mark is the hash of a claim, or of a member of one, that a session was looked through
// for when it was made: what it has of that, it has kept.
type mark [4]byte

// marks are what a session knows, be it that something is not there. Without them, a
// policy that asks "groups is missing" or "not groups contains teams/suspended" would let
// in by a session that is older than the policy, and has left the claim out because
// nobody asked for it.
type marks []mark

// everything is the mark of a session that has kept all claims.
var everything = markOf("everything")

func markOf(texts ...string) mark {
	h := sha256.New()
	for _, text := range texts {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write([]byte(text))
	}
	return mark(h.Sum(nil)[:len(mark{})])
}

// wholeOf marks a claim that was kept as it was.
func wholeOf(claim string) mark { return markOf("whole", claim) }

// partsOf are the marks of a list that was cut: that it is one, and the members that it
// was looked through for.
func partsOf(claim string, members []string) marks {
	m := marks{markOf("part", claim)}
	for _, member := range members {
		m = append(m, markOf("part", claim, member))
	}
	return m
}

func compareMarks(a, b mark) int { return bytes.Compare(a[:], b[:]) }

func (m marks) sorted() marks {
	slices.SortFunc(m, compareMarks)
	return slices.Compact(m)
}

func (m marks) has(one mark) bool {
	_, found := slices.BinarySearchFunc(m, one, compareMarks)
	return found
}

// need is something that is looked at: it is known by its own mark, or by that of the
// whole claim.
type need struct{ part, whole mark }

// needs are what is looked at.
func (k *Keep) needs() []need {
	if k.Claims == nil {
		return []need{{everything, everything}}
	}
	var all []need
	for _, name := range k.Claims {
		whole := wholeOf(name)
		part, only := k.Parts[name]
		if !only {
			all = append(all, need{whole, whole})
			continue
		}
		for _, one := range partsOf(name, part.Members) {
			all = append(all, need{one, whole})
		}
	}
	return all
}

// know says whether a session knows all that is looked at.
func (m marks) know(all []need) bool {
	if m.has(everything) {
		return true
	}
	for _, n := range all {
		if !m.has(n.part) && !m.has(n.whole) {
			return false
		}
	}
	return true
}

// knowsTooLittle is the outcome for a session that does not know all that is looked at by now.
// Somebody who is signed in at the provider is asked nothing.
func knowsTooLittle(id *session.Identity) error {
	return session.Reject(session.ReasonSessionExpired, "Something else has to be known about you by now. Please sign in again.",
		&session.Unchecked{Provider: id.Provider})
}

// append writes marks behind a number of two bytes.
func (m marks) append(to []byte) ([]byte, error) {
	if len(m) > 1<<16-1 {
		return nil, errors.New("stateless sessions: too many claims and members are kept")
	}
	to = binary.BigEndian.AppendUint16(to, uint16(len(m)))
	for _, one := range m {
		to = append(to, one[:]...)
	}
	return to, nil
}

// readMarks reads what append wrote, and returns what follows.
func readMarks(from []byte) (marks, []byte, error) {
	const size = len(mark{})
	if len(from) < 2 {
		return nil, nil, errFormat
	}
	n := int(binary.BigEndian.Uint16(from))
	if from = from[2:]; len(from) < n*size {
		return nil, nil, errFormat
	}
	m := make(marks, n)
	for i := range m {
		m[i] = mark(from[i*size:])
	}
	return m, from[n*size:], nil
}
