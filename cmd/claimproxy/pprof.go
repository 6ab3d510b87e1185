package main

import (
	"net/http"
	"net/http/pprof"
)

// pprofPath is where profiles are; pages and tools of the standard library expect them
// there.
const pprofPath = "/debug/pprof"

// serveProfile answers with a profile of the running program. It is for programs, and for
// a person who opens it, never for the pages of other sites.
func (a *admin) serveProfile(w http.ResponseWriter, r *http.Request) {
	if a.crossOrigin.Check(r) != nil || !a.remote && !ownHost(r.Host) {
		http.Error(w, "This is not for pages of other sites.", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case pprofPath:
		http.Redirect(w, r, pprofPath+"/", http.StatusFound)
	case pprofPath + "/cmdline":
		pprof.Cmdline(w, r)
	case pprofPath + "/profile":
		pprof.Profile(w, r)
	case pprofPath + "/symbol":
		pprof.Symbol(w, r)
	case pprofPath + "/trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}
