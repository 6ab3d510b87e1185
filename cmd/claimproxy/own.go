package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/native"
)

// ownPages hands a request for one of claimproxy's own pages to the room it is of.
// The proxy has made the path canonical.
type ownPages struct {
	endpoints string
	answers   *answer.Answers
	login     *login.Handler
	native    *native.Handler
}

func (o *ownPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The resource's path is named as it was asked about, escapes included.
	if below, ok := strings.CutPrefix(r.URL.EscapedPath(), native.ResourcePath); ok {
		o.native.Resource(w, r, (&url.URL{Host: r.Host}).Hostname(), below)
		return
	}
	switch r.URL.Path {
	case o.endpoints + answer.StylePath:
		o.answers.ServeStyle(w, r)
	case o.endpoints + "/providers":
		o.native.List(w, r)
	default:
		o.login.ServeHTTP(w, r)
	}
}

// ownPaths are the paths outside endpoints that are claimproxy's own.
func ownPaths(cfg *config.Config) []string {
	return append(slices.Sorted(maps.Keys(callbackPaths(cfg))), native.ResourcePath, native.ResourcePath+"/")
}
