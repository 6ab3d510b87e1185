package session

// The cookie of another host than the one where a session began is the handle sealed for
// that host. Each host is its own circle of people who see the cookie: the proxy in front
// that only asks here hands it on to the application, and whoever takes over a host below
// a wildcard is sent it. On no other host does it open anything.

const (
	// boundLabel separates these seals from all others made with the same key.
	boundLabel = "session on another host v1"
	// boundText is the length of such a cookie, in base64url without padding.
	boundText = ((keyIDSize+saltSize+handleText+tagSize)*8 + 5) / 6
	// maxBound bounds how many of one request are opened, which is dearer than to read a
	// handle. What no secret of ours has sealed does not count.
	maxBound = 8
)

// bind makes the cookie of a session for one host.
func (s *Store) bind(h handle, host string) string {
	return s.sealer.SealText(boundLabel, []byte(h.text()), []byte(host))
}

// handleFor reads a cookie's value on a host: a handle as it is, or one that is bound to
// this host. tries counts those that had to be opened.
func (s *Store) handleFor(field, value string, tries *int) (handle, bool) {
	if len(value) != boundText {
		return parseHandle(value)
	}
	if known, _ := s.sealer.Knows(value); !known || *tries == maxBound {
		return handle{}, false
	}
	*tries++
	text, err := s.sealer.OpenText(boundLabel, value, []byte(hostName(field)))
	if err != nil {
		return handle{}, false
	}
	return parseHandle(string(text))
}
