package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// What is told to a collector, in the binary encoding of opentelemetry/proto/trace/v1 and
// collector/trace/v1. Numbers are those of the fields there; what is zero is left out.

// statusError is the code of a span that failed in OTLP; the library's is another number.
const statusError = 2

// encode makes an ExportTraceServiceRequest. All spans are of one resource and one scope.
func encode(spans []sdk.ReadOnlySpan) []byte {
	var resource []byte
	for _, a := range spans[0].Resource().Attributes() {
		resource = message(resource, 1, keyValue(a))
	}
	scope := message(nil, 1, text(nil, 1, spans[0].InstrumentationScope().Name))
	for _, s := range spans {
		scope = message(scope, 2, span(s))
	}
	return message(nil, 1, message(message(nil, 1, resource), 2, scope))
}

func span(s sdk.ReadOnlySpan) []byte {
	trace, id, parent := s.SpanContext().TraceID(), s.SpanContext().SpanID(), s.Parent().SpanID()
	b := message(message(nil, 1, trace[:]), 2, id[:])
	b = text(b, 3, s.SpanContext().TraceState().String())
	if parent.IsValid() {
		b = message(b, 4, parent[:])
	}
	b = text(b, 5, s.Name())
	b = number(b, 6, uint64(s.SpanKind())) // the two count alike
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), uint64(s.StartTime().UnixNano()))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), uint64(s.EndTime().UnixNano()))
	for _, a := range s.Attributes() {
		b = message(b, 9, keyValue(a))
	}
	if s.Status().Code == codes.Error {
		b = message(b, 15, number(text(nil, 2, s.Status().Description), 3, statusError))
	}
	return b
}

// keyValue has the kinds of values that are used here.
func keyValue(a attribute.KeyValue) []byte {
	// A value is there, even if it is the empty text or zero.
	value := protowire.AppendTag(nil, 1, protowire.BytesType)
	if a.Value.Type() == attribute.INT64 {
		value = protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), uint64(a.Value.AsInt64()))
	} else {
		value = protowire.AppendString(value, a.Value.String())
	}
	return message(text(nil, 1, string(a.Key)), 2, value)
}

func message(b []byte, field protowire.Number, of []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), of)
}

func text(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func number(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}
