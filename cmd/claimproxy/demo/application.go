package demo

import (
	"net/http"
	"time"
)

// ApplicationOptions are what tests change about an Application.
type ApplicationOptions struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Tick is how often the event stream sends numbers; zero means two seconds.
	Tick time.Duration
}

// Application is a sample telemetry application: a page with charts, a JSON API,
// an event stream, a websocket, and a receiver for reports.
type Application struct {
	data *telemetry
	tick time.Duration
	mux  *http.ServeMux
}

// NewApplication makes an Application with half a year of made-up telemetry.
func NewApplication(opts ApplicationOptions) *Application {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Tick == 0 {
		opts.Tick = 2 * time.Second
	}
	a := &Application{data: newTelemetry(opts.Now), tick: opts.Tick, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /{$}", a.servePage)
	a.mux.HandleFunc("GET /telemetry.css", serveFile("telemetry.css", "text/css; charset=utf-8"))
	a.mux.HandleFunc("GET /telemetry.js", serveFile("telemetry.js", "text/javascript; charset=utf-8"))
	a.mux.HandleFunc("GET /whoami", a.serveWhoami)
	a.mux.HandleFunc("GET /events", a.serveEvents)
	a.mux.HandleFunc("GET /ws", a.serveEcho)
	a.mux.HandleFunc("GET /analytics/check_schema", a.serveSchema)
	a.mux.HandleFunc("GET /analytics/products", a.serveProducts)
	a.mux.HandleFunc("GET /analytics/data/{product}", a.serveData)
	a.mux.HandleFunc("GET /admin/products", a.serveProducts)
	a.mux.HandleFunc("POST /admin/products", a.serveCreate)
	a.mux.HandleFunc("GET /receiver/submit/{product}", a.serveProbe)
	a.mux.HandleFunc("POST /receiver/submit/{product}", a.serveSubmit)
	return a
}

// ServeHTTP answers one request. Pages may load what the application itself serves
// and nothing else.
func (a *Application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
		"form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	a.mux.ServeHTTP(w, r)
}
