package proxy

import (
	"crypto/tls"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Upstream is an application that requests are forwarded to. Routes that point to
// the same Upstream share its connections.
type Upstream struct {
	// Name stands for it in logs and metrics.
	Name string
	// URLs are its servers; of several, each request goes to one of them. What is decided
	// on is what is forwarded, so nothing is put before the path. Each is
	//
	//	http://HOST   https://HOST   a server that speaks HTTP/1.1, with TLS also HTTP/2
	//	h2c://HOST                   one that speaks HTTP/2 without TLS, such as gRPC's
	//	unix:/PATH                   one that speaks HTTP/1.1 on a socket
	URLs []*url.URL
	// TLS is how its https servers are spoken with; nil is as the system does.
	TLS *TLS
	// Timeout is how long the application may take until the header of its answer;
	// zero means DefaultUpstreamTimeout. The body may take as long as it likes.
	Timeout time.Duration
	// Health is a path, perhaps with a query, that servers are asked for from time to
	// time: those that do not answer it with 2xx or 3xx get no requests. Empty asks nobody.
	Health string
	// OwnHost sends the host of the server in place of the one that the client asked for.
	// The latter is in X-Forwarded-Host either way.
	OwnHost bool
}

// TLS is what is known about the TLS of an upstream.
type TLS struct {
	// Config is used as it is, but for ServerName and NextProtos.
	Config *tls.Config
	// ServerName is the name that certificates must be for and that servers are told; empty
	// is the host of the URL.
	ServerName string
	// Print stands for all that Config was made of: two that are not the same have not the
	// same print.
	Print string
}

// DefaultUpstreamTimeout is how long an upstream may take until the header of its
// answer.
const DefaultUpstreamTimeout = 2 * time.Minute

// maxServers is how many servers an upstream may have.
const maxServers = 64

// CheckUpstream reports what is wrong with an upstream's URL.
func CheckUpstream(u *url.URL) error {
	if u == nil {
		return errors.New("an upstream needs a URL")
	}
	switch u.Scheme {
	case "unix":
		switch {
		case u.Host != "" || u.Opaque != "" || u.User != nil || len(u.Path) < 2 || !strings.HasPrefix(u.Path, "/"):
			return errors.New("the socket of an upstream is unix:/ and a path")
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return errors.New("the URL of an upstream ends with the path of its socket")
		}
		return nil
	case "http", "https", "h2c":
	default:
		return errors.New("an upstream needs a URL that begins with http://, https://, h2c:// or unix:/")
	}
	switch {
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("the URL of an upstream needs a host")
	case u.User != nil:
		return errors.New("the URL of an upstream cannot carry a user or a password")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("the URL of an upstream ends with its host: the path is forwarded as it came")
	}
	return nil
}
