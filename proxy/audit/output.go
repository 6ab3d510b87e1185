package audit

import (
	"bytes"
	"io"
	"os"
	"syscall"
)

// output is where lines go. It belongs to the writer.
type output struct {
	w    io.Writer
	file *os.File // w, if it is ours to close
	// unfinished is set while the last line was written in part.
	unfinished bool
	closed     error // how closing went
	told       bool  // that the file's name cannot be followed
}

// renamed says whether the name is not that of the open file any more.
func (o *output) renamed(name string) bool {
	if o.file == nil {
		return false
	}
	open, err := o.file.Stat()
	if err != nil || !open.Mode().IsRegular() {
		return false // a pipe or a device has its name for good
	}
	there, err := os.Stat(name)
	return err != nil || !os.SameFile(open, there)
}

// openFile opens a file to append to. O_NONBLOCK makes a named pipe that nobody reads
// an error, rather than a start that hangs; it means nothing for files.
func openFile(name string) (*output, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	return &output{w: f, file: f, unfinished: endsInsideLine(name)}, nil
}

// endsInsideLine reports whether a file's last line has no end, because an earlier
// process could not write it whole. A file that cannot be read is taken to end well.
func endsInsideLine(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// write writes a newline and lines, or the lines alone where the newline is not
// needed. It returns how many of the lines are whole in the file.
func (o *output) write(lines []byte) (int, error) {
	if !o.unfinished {
		lines = lines[1:]
	}
	n, err := o.w.Write(lines)
	if n < len(lines) && err == nil {
		err = io.ErrShortWrite
	}
	n = max(0, min(n, len(lines)))
	if n == 0 {
		return 0, err
	}
	whole := bytes.Count(lines[:n], []byte{'\n'})
	if o.unfinished {
		whole-- // the newline before them
	}
	if n < len(lines) && lines[n] == '\n' {
		whole++ // all but its newline, which comes before the next line
	}
	o.unfinished = lines[n-1] != '\n'
	return whole, err
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}
