package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/audit"
)

// requestMessage is what the lines about requests say.
const requestMessage = "request"

// lineBuffers are what lines about requests are made in.
var lineBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// writeLog writes one line for each request. It is the line that slog would write, made
// without it: slog takes a third of the time that everything else does which is ours.
func (w *watch) writeLog(e proxy.Event) {
	if w.lines == nil {
		w.logAttrs(e)
		return
	}
	buf := lineBuffers.Get().(*[]byte)
	now := e.Time.Add(e.Duration)
	b := append((*buf)[:0], `{"time":"`...)
	b = now.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"`+requestMessage+`"`...)
	b = audit.AppendMembers(b, &e)
	if e.Shadow != "" {
		b = audit.AppendText(b, "shadow", e.Shadow)
		b = audit.AppendText(b, "shadow_policy", e.ShadowPolicy)
		b = append(b, `,"shadow_differs":`...)
		if e.ShadowDiffers {
			b = append(b, "true"...)
		} else {
			b = append(b, "false"...)
		}
	}
	b = append(b, "}\n"...)
	w.lines.soon(b, now)
	*buf = b
	lineBuffers.Put(buf)
}

// logAttrs writes the same line with slog.
func (w *watch) logAttrs(e proxy.Event) {
	ctx := context.Background()
	if !w.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", e.RequestID), slog.String("route", e.Route), slog.String("host", e.Host),
		slog.String("method", e.Method), slog.String("path", e.Path), slog.String("client_ip", e.ClientIP),
		slog.String("decision", e.Decision), slog.String("reason", string(e.Reason)), slog.String("policy", e.Policy),
		slog.String("auth", e.Auth), slog.String("provider", e.Provider), slog.String("sub", e.Subject),
		slog.Int("status", e.Status), slog.String("upstream", e.Upstream),
		slog.Float64("duration_ms", float64(e.Duration)/float64(time.Millisecond)),
	}
	if e.Shadow != "" {
		attrs = append(attrs, slog.String("shadow", e.Shadow), slog.String("shadow_policy", e.ShadowPolicy), slog.Bool("shadow_differs", e.ShadowDiffers))
	}
	w.log.LogAttrs(ctx, slog.LevelInfo, requestMessage, attrs...)
}
