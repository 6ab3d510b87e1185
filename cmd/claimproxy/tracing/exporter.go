package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// deliverTimeout bounds the delivery of one batch.
const deliverTimeout = 10 * time.Second

// exporter delivers spans by OTLP over HTTP in its JSON encoding, which every collector
// takes beside the binary one (OTLP Specification, "JSON Protobuf Encoding"). The library's
// own exporter brings gRPC along, which nothing here speaks, and 3 MB with it.
type exporter struct {
	to      string
	headers http.Header
	client  *http.Client
}

// newExporter delivers to an endpoint, or, where that is nil, to where the environment
// says (OpenTelemetry Protocol Exporter).
func newExporter(endpoint *url.URL) (*exporter, error) {
	e := &exporter{headers: make(http.Header), client: &http.Client{
		Timeout:       deliverTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch whole := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); {
	case endpoint != nil:
		e.to = endpoint.JoinPath("v1", "traces").String()
	case whole != "":
		e.to = whole
	default:
		base, err := url.Parse(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
		if err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no URL")
		}
		e.to = base.JoinPath("v1", "traces").String()
	}
	if u, err := url.Parse(e.to); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the collector's endpoint is no http or https URL")
	}
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
			e.headers.Set(strings.TrimSpace(key), value)
		}
	}
	return e, nil
}

// The JSON of OTLP, as far as it is used: numbers of 64 bits are text, ids are hexadecimal.
type (
	export struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource struct {
			Attributes []pair `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	scopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []oneSpan `json:"spans"`
	}
	oneSpan struct {
		TraceID    string  `json:"traceId"`
		SpanID     string  `json:"spanId"`
		TraceState string  `json:"traceState,omitempty"`
		ParentID   string  `json:"parentSpanId,omitempty"`
		Name       string  `json:"name"`
		Kind       int     `json:"kind"`
		Start      string  `json:"startTimeUnixNano"`
		End        string  `json:"endTimeUnixNano"`
		Attributes []pair  `json:"attributes"`
		Status     *status `json:"status,omitempty"`
	}
	status struct {
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
	pair struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
)

func pairs(attributes []attribute.KeyValue) []pair {
	list := make([]pair, 0, len(attributes))
	for _, a := range attributes {
		value := map[string]any{"stringValue": a.Value.String()}
		if a.Value.Type() == attribute.INT64 {
			value = map[string]any{"intValue": strconv.FormatInt(a.Value.AsInt64(), 10)}
		}
		list = append(list, pair{string(a.Key), value})
	}
	return list
}

// statusError is the code of a span that failed in OTLP; the library's is another number.
const statusError = 2

// ExportSpans implements sdk.SpanExporter. All spans are of one resource and one scope.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	var of scopeSpans
	of.Scope.Name = spans[0].InstrumentationScope().Name
	for _, s := range spans {
		one := oneSpan{
			TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
			TraceState: s.SpanContext().TraceState().String(),
			Name:       s.Name(), Kind: int(s.SpanKind()),
			Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
			Attributes: pairs(s.Attributes()),
		}
		if s.Parent().HasSpanID() {
			one.ParentID = s.Parent().SpanID().String()
		}
		if s.Status().Code == codes.Error {
			one.Status = &status{statusError, s.Status().Description}
		}
		of.Spans = append(of.Spans, one)
	}
	whole := resourceSpans{ScopeSpans: []scopeSpans{of}}
	whole.Resource.Attributes = pairs(spans[0].Resource().Attributes())
	body, err := json.Marshal(export{[]resourceSpans{whole}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = e.headers.Clone()
	req.Header.Set("Content-Type", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("%d spans: %w", len(spans), err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%d spans: the collector answered with status %d", len(spans), res.StatusCode)
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}
