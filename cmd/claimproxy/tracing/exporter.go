package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exporter delivers spans by OTLP over HTTP in its binary encoding (OTLP Specification,
// "OTLP/HTTP"). The library's own exporter brings gRPC along, which nothing here speaks,
// and 3 MB with it.
type exporter struct {
	to       string
	headers  http.Header
	compress bool
	timeout  time.Duration
	client   *http.Client
	// pause is what is waited for before the next try, longer each time.
	pause time.Duration
}

// newExporter delivers to an endpoint, or, where that is nil, to where the environment
// says; how is for the environment to say (OpenTelemetry Protocol Exporter).
func newExporter(to *url.URL) (*exporter, error) {
	e := &exporter{pause: time.Second}
	var errs [5]error
	e.to, errs[0] = endpoint(to)
	e.headers, errs[1] = fields()
	e.compress, errs[2] = compressed()
	e.timeout, errs[3] = timeout()
	trusted, err := trust()
	errs[4] = err
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	e.client = &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trusted, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e, nil
}

// ExportSpans implements sdk.SpanExporter. A collector that says that it is busy is asked
// again, as long as the delivery may take.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	body := encode(spans)
	if e.compress {
		var small bytes.Buffer
		w := gzip.NewWriter(&small)
		_, _ = w.Write(body) // into memory
		_ = w.Close()
		body = small.Bytes()
	}
	for pause := e.pause; ; pause *= 2 {
		after, err := e.send(ctx, body)
		if err == nil {
			return nil
		}
		if after < 0 {
			return fmt.Errorf("%d spans: %w", len(spans), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d spans: %w", len(spans), err)
		case <-time.After(max(pause, after)):
		}
	}
}

// send delivers once. Where that failed and may be tried again, after is how long the
// collector wants to be left alone, else it is negative.
func (e *exporter) send(ctx context.Context, body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.to, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header = e.headers.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	if e.compress {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := e.client.Do(req)
	if err != nil {
		return -1, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	switch err := fmt.Errorf("the collector answered with status %d", res.StatusCode); res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 16) // or a date, which none sends
		return time.Duration(seconds) * time.Second, err
	default:
		if res.StatusCode/100 == 2 {
			return 0, nil
		}
		return -1, err
	}
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}
