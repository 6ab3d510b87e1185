package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// closeGrace is how long the end of a websocket may take: a frame that is under way,
// our close frame, and the client's answer to it.
const closeGrace = 500 * time.Millisecond

// errEnded is what an exchange ends with that is broken off here, and so do the two
// directions of a websocket.
var errEnded = errors.New("it was ended")

// socket is the client's side of a websocket. Frames pass as they come, and are followed
// so that a close frame of our own can be put between two of them.
type socket struct {
	net.Conn

	mu   sync.Mutex // held while something is written
	out  frames     // to the client
	open bool       // the answer that opens the websocket has been sent
	// ending is set when no more is to pass, and said when the close frame was sent.
	ending, said bool
	code         uint16
	reason       string

	read sync.Mutex // guards in
	in   frames     // from the client
}

// used reports whether the client has sent data since the last call.
func (s *socket) used() bool {
	s.read.Lock()
	defer s.read.Unlock()
	return s.in.sawData()
}

// end ends the websocket with a close frame, at the end of the frame that is under way.
// Whatever client and upstream do, it is over after closeGrace. It may wait as long.
func (s *socket) end(code uint16, reason string) {
	now := time.Now()
	// A client that reads nothing must not hold it up, nor one that goes on sending.
	_ = s.SetDeadline(now.Add(closeGrace))
	time.AfterFunc(closeGrace, func() { s.Conn.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.ending, s.code, s.reason = true, code, reason
	s.sayClose()
}

// sayClose sends the close frame if this is the place for it.
func (s *socket) sayClose() {
	if !s.ending || s.said || !s.open || !s.out.between() {
		return
	}
	s.said = true
	if !s.out.closed { // nothing follows a close frame (RFC 6455 section 5.5.1)
		_, _ = s.Conn.Write(closeFrame(s.code, s.reason))
	}
}

// Write passes on what the upstream sends.
func (s *socket) Write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	if !s.ending {
		n, err = s.Conn.Write(b)
		s.out.follow(b[:n])
		return n, err
	}
	if !s.said && !s.out.between() {
		if n, err = s.Conn.Write(b[:s.out.next(b)]); err != nil {
			return n, err
		}
	}
	s.sayClose()
	if s.said {
		err = errEnded
	}
	return n, err
}

// Read reads what the client sends. Of a websocket that was ended it takes all that still
// comes, so that the client gets to read why, and returns nothing of it.
func (s *socket) Read(b []byte) (int, error) {
	s.mu.Lock()
	s.open = true
	s.sayClose()
	s.mu.Unlock()
	n, err := s.Conn.Read(b)
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if ending {
		_, _ = io.Copy(io.Discard, s.Conn)
		return 0, errEnded
	}
	s.read.Lock()
	s.in.follow(b[:n])
	s.read.Unlock()
	return n, err
}

// CloseWrite tells the client that nothing more comes.
func (s *socket) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return s.Conn.Close()
}

// Close closes the connection; after a close frame of ours, when the client has answered
// it or its time is over. To close at once would take the frame away from a client that is
// just sending.
func (s *socket) Close() error {
	s.mu.Lock()
	said := s.said
	s.mu.Unlock()
	if said {
		_ = s.CloseWrite()
		_, _ = io.Copy(io.Discard, s.Conn)
	}
	return s.Conn.Close()
}
