package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// Serve runs claimproxy with a configuration file, on a listener that is open
// already and has the address of the file's listen key; the listener is Serve's to
// close. It calls ready once requests are answered, and returns when ctx is done
// and all requests have ended, or earlier with an error. The composition root
// hands this in: it is what "claimproxy serve" does.
type Serve func(ctx context.Context, configFile string, l net.Listener, ready func()) error

// Ports are where the parts of the demo are to listen on 127.0.0.1. Zero is any
// free port; one that is taken is replaced by a free one.
type Ports struct {
	Proxy, Provider, Application int
}

// DefaultPorts are those that the documentation names.
var DefaultPorts = Ports{Proxy: 8080, Provider: 8081, Application: 8082}

// Options are what Run needs.
type Options struct {
	// Out gets the guide.
	Out io.Writer
	// Ports are where to listen.
	Ports Ports
	// Serve runs claimproxy itself.
	Serve Serve
}

// Run starts the provider, the application and claimproxy in front of it, prints
// the guide, and runs until ctx is done, which is no error. It leaves nothing
// behind: configuration and state are in a temporary directory that it removes.
func Run(ctx context.Context, opts Options) (err error) {
	dir, err := os.MkdirTemp("", "claimproxy-demo-")
	if err != nil {
		return fmt.Errorf("making a temporary directory for the demo: %w", err)
	}
	defer func() {
		if e := os.RemoveAll(dir); e != nil && err == nil {
			err = fmt.Errorf("removing the demo's temporary directory: %w", e)
		}
	}()
	l, err := listen(opts.Ports)
	if err != nil {
		return err
	}
	defer l.close()
	secret := rand.Text()
	file := filepath.Join(dir, "claimproxy.yaml")
	if err := errors.Join(
		os.WriteFile(file, []byte(Configuration(l.addresses)), 0o600),
		os.WriteFile(filepath.Join(dir, secretFile), []byte(secret), 0o600),
	); err != nil {
		return fmt.Errorf("writing the demo's configuration: %w", err)
	}
	provider := devprovider.Serve(l.provider, Provider(l.addresses, secret))
	defer provider.Close()
	stop := serveApplication(ctx, l.application, NewApplication(ApplicationOptions{}))
	defer stop()

	var guideErr error
	err = opts.Serve(ctx, file, l.proxy, func() { guideErr = Guide(opts.Out, l.addresses) })
	return errors.Join(err, guideErr)
}

// listeners are the open listeners of all parts.
type listeners struct {
	proxy, provider, application net.Listener
	addresses                    Addresses
}

// listen opens all listeners before anything is served, so that the configuration
// can name them and nobody can take one in between.
func listen(ports Ports) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	for _, part := range []struct {
		name    string
		port    int
		into    *net.Listener
		address *string
	}{
		{"claimproxy", ports.Proxy, &l.proxy, &l.addresses.Proxy},
		{"the development provider", ports.Provider, &l.provider, &l.addresses.Provider},
		{"the application", ports.Application, &l.application, &l.addresses.Application},
	} {
		if *part.into, err = listenNear(part.port); err != nil {
			return l, fmt.Errorf("listening for %s: %w", part.name, err)
		}
		*part.address = (*part.into).Addr().String()
	}
	return l, nil
}

// listenNear listens on a port of 127.0.0.1, or on a free one when that is taken.
func listenNear(port int) (net.Listener, error) {
	l, err := devprovider.Listen(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil || port == 0 {
		return l, err
	}
	return devprovider.Listen("127.0.0.1:0")
}

// close closes what is open; those who serve a listener close it as well, and
// closing twice does no harm.
func (l listeners) close() {
	for _, one := range []net.Listener{l.proxy, l.provider, l.application} {
		if one != nil {
			one.Close()
		}
	}
}

// serveApplication serves the application until the function it returns is called.
// Event streams and websockets end with ctx already: claimproxy waits for what is
// under way, and a browser keeps those open for ever.
func serveApplication(ctx context.Context, l net.Listener, a *Application) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	server := &http.Server{
		Handler:           a,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends with ErrServerClosed, or with its listener
	}()
	return func() {
		cancel()
		server.Close()
		<-done
	}
}
