package session

import "os"

// WithRoom has the room on the disk of a File told by room.
func (o FileOptions) WithRoom(room func(string) (uint64, bool)) FileOptions {
	o.room = room
	return o
}

// WithOpenFile has the file of a File opened by open.
func (o FileOptions) WithOpenFile(open func(string, int, os.FileMode) (*os.File, error)) FileOptions {
	o.openFile = open
	return o
}
