package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// thePrometheus is the real upstream: Debian's Prometheus, which scrapes itself.
var thePrometheus struct {
	sync.Mutex
	url     string
	process *process
	err     error
}

// prometheusTitle is what the UI's pages begin with.
const prometheusTitle = "<title>Prometheus Time Series Collection and Processing Server</title>"

// sharedPrometheus returns the address of the Prometheus that all tests share.
// Nobody changes anything there.
func sharedPrometheus(t testing.TB) string {
	t.Helper()
	need(t, prometheusServer)
	p := &thePrometheus
	p.Lock()
	defer p.Unlock()
	if p.process == nil && p.err == nil {
		addr := loopback(freePort(t))
		p.url = "http://" + addr
		p.process, p.err = startPrometheus(addr)
		if p.err == nil {
			share(p.process)
			p.err = p.process.ready(p.url + "/-/ready")
		}
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	p.process.showOnFailure(t)
	return p.url
}

func startPrometheus(addr string) (*process, error) {
	dir := filepath.Join(scratch, "prometheus")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: [%q]}]
`, addr)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return startProcess("Prometheus", dir, nil, "prometheus", "--config.file="+file,
		"--web.listen-address="+addr, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=warn")
}

// recorder is an upstream in the test's own process that answers every request
// with a description of it, so that a test sees what arrived.
type recorder struct {
	url string

	mu   sync.Mutex
	seen []arrival
}

// arrival is a request as an upstream got it.
type arrival struct {
	Method string      `json:"method"`
	URI    string      `json:"uri"`
	Host   string      `json:"host"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	// Trailer came after the body.
	Trailer http.Header `json:"trailer,omitempty"`
}

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	r := &recorder{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := arrival{Method: req.Method, URI: req.RequestURI, Host: req.Host, Header: req.Header.Clone(), Body: string(body), Trailer: req.Trailer}
	r.mu.Lock()
	r.seen = append(r.seen, a)
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
}

// count returns how many requests have arrived.
func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// arrival reads the description of the request that an answer of the recorder is.
func (a *answer) arrival(t testing.TB) arrival {
	t.Helper()
	var got arrival
	a.wantStatus(t, http.StatusOK).decode(t, &got)
	return got
}

// wantHeader fails the test when a header that arrived is not exactly this; no
// value wants it absent.
func (a arrival) wantHeader(t testing.TB, name string, values ...string) {
	t.Helper()
	if got := a.Header.Values(name); !slices.Equal(got, values) {
		t.Errorf("upstream got %s %q, want %q", name, got, values)
	}
}

// wantNowhere fails the test when a header that arrived contains a text.
func (a arrival) wantNowhere(t testing.TB, texts ...string) {
	t.Helper()
	for name, values := range a.Header {
		for _, text := range texts {
			if text != "" && strings.Contains(strings.Join(values, "\n"), text) {
				t.Errorf("upstream got %.6s... in the header %s, want it kept away", text, name)
			}
		}
	}
}
