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
	keys      http.Handler // of assertions
	answers   *answer.Answers
	login     *login.Handler
	native    *native.Handler
	compat    *oauth2Proxy // nil: there is none
	// qfield are the hosts where programs look for a QFieldCloud.
	qfield map[string]native.QFieldCloud
}

func (o *ownPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The resource's path is named as it was asked about, escapes included.
	if below, ok := strings.CutPrefix(r.URL.EscapedPath(), native.ResourcePath); ok {
		o.native.Resource(w, r, hostOf(r), below)
		return
	}
	// It is ours on the hosts of qfield alone, see ownPaths.
	if q, ok := o.qfield[hostOf(r)]; ok {
		switch strings.TrimSuffix(r.URL.Path, "/") + "/" {
		case native.QFieldProvidersPath:
			o.native.QFieldProviders(w, r, q)
			return
		case native.QFieldInfoPath:
			o.native.QFieldInfo(w, r, q)
			return
		}
	}
	if o.compat.serve(w, r) {
		return
	}
	switch r.URL.Path {
	case o.endpoints + answer.StylePath:
		o.answers.ServeStyle(w, r)
	case o.endpoints + "/jwks.json":
		o.keys.ServeHTTP(w, r)
	case o.endpoints + "/providers":
		o.native.List(w, r)
	default:
		o.login.ServeHTTP(w, r)
	}
}

// hostOf is the name of the host that a request is for, without port and brackets.
func hostOf(r *http.Request) string { return (&url.URL{Host: r.Host}).Hostname() }

// ownPaths are the paths outside endpoints that are claimproxy's own.
func ownPaths(cfg *config.Config) []string {
	paths := append(slices.Sorted(maps.Keys(callbackPaths(cfg))), native.ResourcePath, native.ResourcePath+"/")
	paths = append(paths, cfg.CompatPaths()...)
	for _, host := range bracketed(slices.Sorted(maps.Keys(qfieldClouds(cfg)))) {
		paths = append(paths, host+native.QFieldProvidersPath, host+native.QFieldInfoPath)
	}
	return paths
}

// qfieldClouds are the hosts where programs look for a QFieldCloud, without brackets.
func qfieldClouds(cfg *config.Config) map[string]native.QFieldCloud {
	clouds := map[string]native.QFieldCloud{}
	for _, d := range cfg.Native.Discovery {
		clouds[d.Host] = native.QFieldCloud{ClientID: d.Client, ProviderHeader: cfg.Native.ProviderHeader, Origin: cfg.PublicURL.String()}
	}
	return clouds
}
