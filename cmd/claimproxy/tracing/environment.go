package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// deliverTimeout bounds the delivery of one batch, where the environment does not.
const deliverTimeout = 10 * time.Second

// setting is what the environment says about the delivery of traces, and the name of the
// variable that says it: the one for traces alone goes before the one for all signals
// (OpenTelemetry Protocol Exporter, "Configuration Options").
func setting(what string) (value, name string) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + what, "OTEL_EXPORTER_OTLP_" + what} {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" {
			return value, name
		}
	}
	return "", ""
}

// endpoint is where traces go: below the configured address, or, where that is nil, to
// where the environment says.
func endpoint(configured *url.URL) (string, error) {
	base := configured
	if base == nil {
		value, name := setting("ENDPOINT")
		u, err := url.Parse(value)
		if err != nil {
			return "", fmt.Errorf("%s is no URL", name)
		}
		if name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" {
			return checked(u) // as it is
		}
		base = u
	}
	return checked(base.JoinPath("v1", "traces"))
}

func checked(u *url.URL) (string, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("the collector's endpoint is no http or https URL")
	}
	return u.String(), nil
}

// protocol looks at what the environment asks to speak. doubt is what somebody should know about what the environment asks for, empty for
// nothing; an error means that nobody would get a span.
func protocol(configured bool) (doubt string, err error) {
	switch value, name := setting("PROTOCOL"); {
	case value == "" || value == "http/protobuf":
		return "", nil
	case value == "grpc" && !configured:
		return "", fmt.Errorf("%s is grpc, which is not spoken here: name the collector's endpoint for OTLP over HTTP, usually port 4318, and set http/protobuf", name)
	default:
		return fmt.Sprintf("%s is not what traces are delivered by: that is http/protobuf, which every collector takes at its endpoint for HTTP", name), nil
	}
}

// fields are those of the environment's headers, whose values may be secrets. Those for
// traces alone go before the others.
func fields() (http.Header, error) {
	h := make(http.Header)
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") {
			key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok {
				continue
			}
			value, err := url.PathUnescape(strings.TrimSpace(value))
			if err != nil {
				return nil, fmt.Errorf("%s: the value of %s cannot be read", name, key) // which may be a secret
			}
			h.Set(strings.TrimSpace(key), value)
		}
	}
	return h, nil
}

// timeout is how long a delivery may take, in the environment a number of milliseconds.
func timeout() (time.Duration, error) {
	value, name := setting("TIMEOUT")
	if value == "" {
		return deliverTimeout, nil
	}
	ms, err := strconv.ParseUint(value, 10, 32)
	if err != nil || ms == 0 {
		return 0, fmt.Errorf("%s: expected a number of milliseconds, got %q", name, value)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// compressed says whether batches are compressed.
func compressed() (bool, error) {
	switch value, name := setting("COMPRESSION"); value {
	case "", "none":
		return false, nil
	case "gzip":
		return true, nil
	default:
		return false, fmt.Errorf("%s: expected gzip or none, got %q", name, value)
	}
}

// trust is whom the collector has to be signed by, and what claimproxy shows to it.
func trust() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file, name := setting("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s has no certificate", name, file)
		}
	}
	cert, name := setting("CLIENT_CERTIFICATE")
	key, keyName := setting("CLIENT_KEY")
	switch {
	case cert == "" && key == "":
		return c, nil
	case cert == "" || key == "":
		return nil, fmt.Errorf("%s needs the other of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY beside it", name+keyName)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
