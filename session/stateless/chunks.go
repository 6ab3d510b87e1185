package stateless

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// A session is one sealed cookie or, where that gets too long for a browser, several:
// name, name.1, name.2, name.3. Each is sealed by itself, bound to its full name, and
// the first has the hashes of the others inside:
//
//	first:  version (1) | number of others (1) | hash of each (32) | body ...
//	others: ... body
//	body:   session id (16) | last use (8, Unix milliseconds) | marks | record
//
// So the first says which others belong to it, and nothing else ever makes a whole:
// a part of another session, of an earlier state of this one, or of somebody's making is
// passed over, and does not hide the right one that comes after it.

const (
	// maxChunk is how long a cookie's value may be. Browsers take 4,096 bytes for name,
	// value and, some, attributes (RFC 6265 section 6.1).
	maxChunk = 3800
	// maxName is how long its name may be beside that.
	maxName = 200
	// maxChunks is how many cookies a session may take. All come in one line of the
	// request's header, and web servers take 8 or 16 KiB of that.
	maxChunks = 4

	version    = 1
	labelFirst = "session cookie"
	labelOther = "session cookie, further part"

	idSize   = 16
	bodyHead = idSize + 8

	// overhead is what sealing adds: key id, salt and tag.
	overhead = 4 + 24 + 16
	// room is how many bytes a chunk holds before they are sealed.
	room = maxChunk*3/4 - overhead
	// minChunk is the least length of a chunk that could be sealed by anybody.
	minChunk = (overhead*8 + 5) / 6
)

// content is what a session's cookies hold.
type content struct {
	id     [idSize]byte
	seen   time.Time
	marks  marks // of the record
	record *session.Record
}

// digest is the hash of a chunk as it stands in its cookie.
type digest = [sha256.Size]byte

var errFormat = errors.New("another format")

// capacity is how long a body in n chunks may be.
func capacity(n int) int { return n*room - 2 - (n-1)*sha256.Size }

// partName is the name of a session's n-th cookie, counted from 0.
func partName(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}

// seal returns the values of the cookies that hold a session.
func seal(sealer *session.Sealer, name string, c *content) ([]string, error) {
	plain, err := session.EncodeRecord(c.record)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, bodyHead+len(plain))
	body = append(body, c.id[:]...)
	body = binary.BigEndian.AppendUint64(body, uint64(c.seen.UnixMilli()))
	if body, err = c.marks.append(body); err != nil {
		return nil, err
	}
	body = append(body, plain...)
	n := 1
	for n < maxChunks && len(body) > capacity(n) {
		n++
	}
	if len(body) > capacity(n) {
		return nil, &session.TooLarge{Size: len(body), Most: capacity(maxChunks), Parts: sizes(c.record)}
	}
	values := make([]string, n)
	own := min(len(body), room-2-(n-1)*sha256.Size) // what is left to the first
	first, rest := body[:own], body[own:]
	head := []byte{version, byte(n - 1)}
	for i := 1; i < n; i++ {
		part := rest[:min(room, len(rest))]
		rest = rest[len(part):]
		values[i] = sealer.SealText(labelOther, part, []byte(partName(name, i)))
		sum := sha256.Sum256([]byte(values[i]))
		head = append(head, sum[:]...)
	}
	values[0] = sealer.SealText(labelFirst, append(head, first...), []byte(name))
	return values, nil
}

// open reads a session whose first chunk is given; others are found among those that the
// request carries. It returns copies of the values of all.
func open(sealer *session.Sealer, first string, from *carried) (*content, []string, error) {
	name := from.name
	head, err := sealer.OpenText(labelFirst, first, []byte(name))
	switch {
	case err != nil:
		return nil, nil, err
	case len(head) < 2 || head[0] != version || int(head[1]) >= maxChunks:
		return nil, nil, errFormat
	}
	n := int(head[1])
	if head = head[2:]; len(head) < n*sha256.Size {
		return nil, nil, errFormat
	}
	values := make([]string, 1, 1+n)
	values[0] = strings.Clone(first)
	body := head[n*sha256.Size:]
	for i := 1; i <= n; i++ {
		want := digest(head)
		head = head[sha256.Size:]
		text, ok := from.other(i, &want)
		if !ok {
			return nil, nil, session.ErrNotOpened // it is missing, or an earlier one is left
		}
		part, err := sealer.OpenText(labelOther, text, []byte(partName(name, i)))
		if err != nil {
			return nil, nil, err
		}
		body = append(body, part...)
		values = append(values, strings.Clone(text))
	}
	if len(body) < bodyHead {
		return nil, nil, errFormat
	}
	c := &content{id: [idSize]byte(body), seen: time.UnixMilli(int64(binary.BigEndian.Uint64(body[idSize:])))}
	if c.marks, body, err = readMarks(body[bodyHead:]); err != nil {
		return nil, nil, err
	}
	if c.record, err = session.DecodeRecord(body); err != nil {
		return nil, nil, err
	}
	return c, values, nil
}
