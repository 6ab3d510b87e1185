package proxy

import (
	"encoding/binary"
	"strings"
)

// frames follows the frames of one direction of a websocket (RFC 6455 section 5.2), so
// that it is known where one ends. It keeps none. The zero value is at the beginning.
type frames struct {
	header  [14]byte // of the frame that has begun, have bytes of it
	have    int
	payload uint64 // bytes that are left of the frame, once its header is whole
	data    bool   // a frame that is no control frame has been seen, see sawData
	closed  bool   // a close frame has begun
}

// between reports whether no frame has begun that has not ended.
func (f *frames) between() bool { return f.have == 0 }

// next follows b up to the end of the frame that is under way, or begins with b, and
// returns how many bytes that is: all of b, if the frame does not end in it.
func (f *frames) next(b []byte) (n int) {
	for n < len(b) {
		if size := f.headerSize(); f.have < size {
			took := copy(f.header[f.have:size], b[n:])
			f.have, n = f.have+took, n+took
			if size = f.headerSize(); f.have < size {
				continue
			}
			f.begin()
		} else {
			took := min(f.payload, uint64(len(b)-n))
			f.payload, n = f.payload-took, n+int(took)
		}
		if f.payload == 0 {
			f.have = 0
			return n
		}
	}
	return n
}

// follow follows all of b.
func (f *frames) follow(b []byte) {
	for len(b) > 0 {
		b = b[f.next(b):]
	}
}

// headerSize is how long the header is, as far as that can be told by now.
func (f *frames) headerSize() int {
	if f.have < 2 {
		return 2
	}
	size := 2
	switch f.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.header[1]&0x80 != 0 {
		size += 4 // the masking key
	}
	return size
}

// begin reads a header that is whole.
func (f *frames) begin() {
	switch f.payload = uint64(f.header[1] & 0x7f); f.payload {
	case 126:
		f.payload = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		f.payload = binary.BigEndian.Uint64(f.header[2:])
	}
	switch opcode := f.header[0] & 0x0f; {
	case opcode == opcodeClose:
		f.closed = true
	case opcode < opcodeClose:
		f.data = true
	}
}

// sawData reports whether data has passed since the last call.
func (f *frames) sawData() bool {
	saw := f.data
	f.data = false
	return saw
}

// opcodeClose is the first of the control frames.
const opcodeClose = 0x8

// The close codes that claimproxy uses (RFC 6455 section 7.4.1).
const (
	closeGoingAway = 1001
	closePolicy    = 1008
)

// closeFrame is a close frame of a server. The reason is cut to what fits a control
// frame.
func closeFrame(code uint16, reason string) []byte {
	const most = 125 - 2
	reason = strings.ToValidUTF8(reason[:min(len(reason), most)], "")
	frame := append(make([]byte, 0, 4+len(reason)), 0x80|opcodeClose, byte(2+len(reason)))
	frame = binary.BigEndian.AppendUint16(frame, code)
	return append(frame, reason...)
}
