package session

import "os"

// WithOpenFile has the file of a File opened by open.
func (o FileOptions) WithOpenFile(open func(string, int, os.FileMode) (*os.File, error)) FileOptions {
	o.openFile = open
	return o
}
