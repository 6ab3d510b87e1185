package main

import (
	"errors"
	"net"
)

// accepting is a listener whose failures are counted. net/http tries again by itself, so
// that the program lives through having no file descriptors left; but then nobody gets
// through to look at it, and afterwards the counter tells.
type accepting struct {
	net.Listener
	failed func()
}

func (a accepting) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		a.failed()
	}
	return conn, err
}

// accepting has the failures of a listener counted, where somebody counts.
func (w *watch) accepting(l net.Listener) net.Listener {
	if w.metrics == nil {
		return l
	}
	return accepting{l, w.metrics.AcceptFailed}
}
