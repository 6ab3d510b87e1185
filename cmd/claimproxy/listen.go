package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy/limit"
)

// listen opens all addresses of a configuration, or none. They speak TLS with what is
// shown there, nil for plain HTTP. The limiter bounds the connections that are taken there.
func listen(c *config.Config, shown *shown, limiter *limit.Limiter) ([]net.Listener, error) {
	tlsConfig := shown.config()
	var all []net.Listener
	var o opener
	for _, address := range c.Listen {
		opened, err := o.open(address)
		if err != nil {
			closeAll(all)
			return nil, listenError(address, err)
		}
		for _, l := range opened {
			l = guarding{l, limiter}
			if tlsConfig != nil {
				l = tls.NewListener(l, tlsConfig)
			}
			all = append(all, l)
		}
	}
	return all, nil
}

// listenError says once what net.Listen says three times.
func listenError(address string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return fmt.Errorf("listening on %s: %w", address, err)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
