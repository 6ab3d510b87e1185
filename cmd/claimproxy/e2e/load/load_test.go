package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestOnlyTheExpectedAnswerCounts: one wrong answer among many right ones, and there is
// no figure.
func TestOnlyTheExpectedAnswerCounts(t *testing.T) {
	up := upstream()
	for name, test := range map[string]struct {
		wrong func(w http.ResponseWriter, r *http.Request)
		want  string
	}{
		"all right": {up.ServeHTTP, ""},
		"another person": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-Forwarded-User", "mallory")
			up.ServeHTTP(w, r)
		}, "seen mallory 2"},
		"a group less": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-Forwarded-Groups", "a")
			up.ServeHTTP(w, r)
		}, "seen jane 1"},
		"a refusal":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503"},
		"somebody else's":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, smallAnswer)) }, "want status 200"},
		"a connection less": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 50 {
					test.wrong(w, r)
					return
				}
				up.ServeHTTP(w, r)
			}))
			defer s.Close()
			req := request("localhost", "/x", "X-Forwarded-User: jane", "X-Forwarded-Groups: a,b")
			next := always(req, fromUpstream("/x", "jane", 2))(0)
			left := atomic.Int64{}
			left.Store(2000)
			got, err := load(context.Background(), plain(s.Listener.Addr().String()), 2, time.Minute,
				func() (shot, bool) { s, _ := next(); return s, left.Add(-1) >= 0 }, func() {}, func() {})
			switch {
			case test.want == "" && err != nil && !strings.Contains(err.Error(), "there was no answer"):
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %d answers and the error %v, want one with %q", got.answers, err, test.want)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{1, 2}, 1.5}, {[]float64{1, 5, 6}, 5}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.values, got, test.want)
		}
	}
}

func TestFieldsOfAProcess(t *testing.T) {
	stat := []byte("4711 (a (strange) 9 name) S 1 4700 4700 0 -1 4194560 10 0 0 0 120 34 0 0 20 0 5 0")
	if got := statFields(stat, 5, 14, 15); len(got) != 3 || got[0] != 4700 || got[1] != 120 || got[2] != 34 {
		t.Errorf("got %v, want 4700, 120, 34", got)
	}
}

// TestAFixedRateCountsTheWaiting: a server that stops for a while makes those wait who are
// due meanwhile, also where their own requests are answered at once.
func TestAFixedRateCountsTheWaiting(t *testing.T) {
	up := upstream()
	const stop = 200 * time.Millisecond
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 10 {
			time.Sleep(stop)
		}
		up.ServeHTTP(w, r)
	}))
	defer s.Close()
	next := always(request("localhost", "/x"), fromUpstream("/x", "-", 0))(0)
	got, err := paced(t.Context(), plain(s.Listener.Addr().String()), 1, 500, 400*time.Millisecond, next)
	if err != nil {
		t.Fatal(err)
	}
	if got.answers != 200 {
		t.Errorf("got %d answers, want 200", got.answers)
	}
	// All who were due while the one connection was busy waited, and not the one alone.
	if late := got.quantile(.8); late < stop/4 {
		t.Errorf("a fifth waited %v at most, want more", late)
	}
	if _, err := paced(t.Context(), plain(s.Listener.Addr().String()), 1, 500, 100*time.Millisecond, always(request("localhost", "/x"), unauthorized)(0)); err == nil {
		t.Error("a wrong answer was counted")
	}
}

func TestSeries(t *testing.T) {
	if got, want := (series{3, 1, 2}).cell("%.1f"), "2.0 (1.0-3.0)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
