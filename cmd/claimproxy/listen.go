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

// listen opens all addresses of a configuration, or none: those where requests are answered,
// and those that lead to them. The first speak TLS with what is shown there, nil for plain
// HTTP. The limiter bounds the connections that are taken at all of them.
func listen(c *config.Config, shown *shown, limiter *limit.Limiter) (public, redirecting []net.Listener, err error) {
	var o opener
	if public, err = o.openAll(c.Listen, limiter); err != nil {
		return nil, nil, err
	}
	if redirecting, err = o.openAll(c.RedirectHTTP, limiter); err != nil {
		closeAll(public)
		return nil, nil, err
	}
	if tlsConfig := shown.config(); tlsConfig != nil {
		for i, l := range public {
			public[i] = tls.NewListener(l, tlsConfig)
		}
	}
	return public, redirecting, nil
}

// openAll opens all of these addresses, or none.
func (o *opener) openAll(addresses []string, limiter *limit.Limiter) ([]net.Listener, error) {
	var all []net.Listener
	for _, address := range addresses {
		opened, err := o.open(address)
		if err != nil {
			closeAll(all)
			return nil, listenError(address, err)
		}
		for _, l := range opened {
			all = append(all, guarding{l, limiter})
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
