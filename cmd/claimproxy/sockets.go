package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// opener opens addresses of the forms that a configuration may have.
type opener struct {
	// passed are the sockets that systemd has passed, by their names; nil before it was
	// looked.
	passed map[string][]net.Listener
}

// open opens one address: host:port, unix:/path, or systemd:NAME, which may be several
// sockets.
func (o *opener) open(address string) ([]net.Listener, error) {
	kind, rest, _ := strings.Cut(address, ":")
	switch kind {
	case "unix":
		l, err := listenUnix(rest)
		return []net.Listener{l}, err
	case "systemd":
		return o.fromSystemd(rest)
	}
	l, err := net.Listen("tcp", address)
	return []net.Listener{l}, err
}

// fromSystemd returns the sockets of a name (sd_listen_fds_with_names(3)): FileDescriptorName=
// of the socket unit, by default the unit's own name.
func (o *opener) fromSystemd(name string) ([]net.Listener, error) {
	if o.passed == nil {
		passed, err := activation.ListenersWithNames()
		if err != nil {
			return nil, err
		}
		o.passed = passed
	}
	// What is no stream of connections comes as nil.
	sockets := slices.DeleteFunc(slices.Clone(o.passed[name]), func(l net.Listener) bool { return l == nil })
	if len(sockets) == 0 {
		if len(o.passed) == 0 {
			return nil, errors.New("systemd has passed no sockets: start claimproxy by its socket unit")
		}
		return nil, fmt.Errorf("systemd has passed no socket of that name, but: %s", strings.Join(slices.Sorted(maps.Keys(o.passed)), ", "))
	}
	delete(o.passed, name)
	return sockets, nil
}

// listenUnix listens on a socket. One that is left of a process that is gone is removed.
func listenUnix(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("there is something at this path that is no socket")
	default:
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
			return nil, errors.New("another process listens there")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}
