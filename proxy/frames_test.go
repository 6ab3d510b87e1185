package proxy

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// frameOf makes a frame of random bytes.
func frameOf(r *rand.Rand, opcode byte, size int, masked bool) []byte {
	frame := []byte{0x80 | opcode, 0}
	switch {
	case size < 126:
		frame[1] = byte(size)
	case size < 1<<16:
		frame[1] = 126
		frame = binary.BigEndian.AppendUint16(frame, uint16(size))
	default:
		frame[1] = 127
		frame = binary.BigEndian.AppendUint64(frame, uint64(size))
	}
	if masked {
		frame[1] |= 0x80
		size += 4
	}
	for range size {
		frame = append(frame, byte(r.Uint32()))
	}
	return frame
}

// TestFramesAreFollowedHoweverTheyAreCut: in whatever pieces they come, it is known where
// each ends.
func TestFramesAreFollowedHoweverTheyAreCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var all []byte
		ends := map[int]bool{0: true}
		for range 1 + r.IntN(6) {
			size := [...]int{0, 1, 125, 126, 127, 65535, 65536, r.IntN(3000)}[r.IntN(8)]
			all = append(all, frameOf(r, byte(r.IntN(3)), size, r.IntN(2) == 0)...)
			ends[len(all)] = true
		}
		var f frames
		for at := 0; at < len(all); {
			piece := all[at:min(at+1+r.IntN(1+r.IntN(5000)), len(all))]
			n := f.next(piece)
			for i := 1; i < n; i++ {
				if ends[at+i] {
					t.Fatalf("the end of a frame at %d was missed", at+i)
				}
			}
			at += n
			if f.between() != ends[at] {
				t.Fatalf("at %d: between frames is %v, want %v", at, f.between(), ends[at])
			}
			if n == 0 {
				t.Fatal("no progress")
			}
		}
	}
}

func TestFramesTellDataFromControl(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for opcode, data := range map[byte]bool{0: true, 1: true, 2: true, 8: false, 9: false, 10: false} {
		var f frames
		f.follow(frameOf(r, opcode, 3, true))
		if got := f.sawData(); got != data || f.sawData() {
			t.Errorf("opcode %d: data is %v, want %v, and once", opcode, got, data)
		}
		if f.closed != (opcode == 8) {
			t.Errorf("opcode %d: closed is %v", opcode, f.closed)
		}
	}
}

func TestCloseFrames(t *testing.T) {
	if got, want := closeFrame(1008, "over"), []byte("\x88\x06\x03\xf0over"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	long := closeFrame(1008, string(bytes.Repeat([]byte("ä"), 100)))
	if len(long) != 2+2+122 || int(long[1]) != len(long)-2 {
		t.Errorf("a long reason makes a frame of %d bytes, which says %d", len(long), long[1])
	}
}
