package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"time"
)

// pprofPath is where profiles are; tools of the standard library expect them there.
const pprofPath = "/debug/pprof"

// Profiles are of so many seconds where nobody says otherwise, and of no more.
const (
	profileSeconds = 30
	profileMost    = 300
)

// serveProfile answers with a profile of the running program. It is for programs, and for
// a person who opens it, never for the pages of other sites. It answers as package
// net/http/pprof does, without what that costs: the difference of two profiles, which "go
// tool pprof -diff_base" makes as well, and a page of links.
func (a *admin) serveProfile(w http.ResponseWriter, r *http.Request) {
	if a.crossOrigin.Check(r) != nil || !a.remote && !ownHost(r.Host) {
		http.Error(w, "This is not for pages of other sites.", http.StatusForbidden)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, pprofPath)
	switch name = strings.TrimPrefix(name, "/"); name {
	case "":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "cmdline, profile?seconds=30 and trace?seconds=1; with debug=1 as text:")
		for _, p := range pprof.Profiles() {
			fmt.Fprintln(w, p.Name(), p.Count())
		}
	case "cmdline":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, strings.Join(os.Args, "\x00"))
	case "profile":
		during(w, r, profileSeconds, pprof.StartCPUProfile, pprof.StopCPUProfile)
	case "trace":
		during(w, r, 1, trace.Start, trace.Stop)
	default:
		p := pprof.Lookup(name)
		if p == nil {
			http.Error(w, "There is no profile of this name.", http.StatusNotFound)
			return
		}
		debug, _ := strconv.Atoi(r.FormValue("debug"))
		w.Header().Set("Content-Type", "application/octet-stream")
		if debug > 0 {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		_ = p.WriteTo(w, debug)
	}
}

// during answers with what is written between start and stop, so many seconds later or as
// many as the request says.
func during(w http.ResponseWriter, r *http.Request, seconds int, start func(io.Writer) error, stop func()) {
	if text := r.FormValue("seconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > profileMost {
			http.Error(w, fmt.Sprintf("A profile is of 1 to %d seconds.", profileMost), http.StatusBadRequest)
			return
		}
		seconds = n
	}
	last := time.Duration(seconds) * time.Second
	// The server's own deadline is for answers that are ready.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(last + 30*time.Second))
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := start(w); err != nil {
		http.Error(w, "There is one under way: "+err.Error(), http.StatusConflict)
		return
	}
	defer stop()
	select {
	case <-time.After(last):
	case <-r.Context().Done():
	}
}
