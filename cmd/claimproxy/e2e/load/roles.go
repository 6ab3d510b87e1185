package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// roleVariable makes this program one of the servers that are measured, in a process
// of its own. It says which, and what it needs: "upstream ADDRESS", "bare ADDRESS UPSTREAM"
// or "bare ADDRESS UPSTREAM CERTIFICATE KEY", which are files.
const roleVariable = "CLAIMPROXY_LOAD_ROLE"

// The sizes of the upstream's answers.
const (
	smallAnswer = 1 << 10
	largeAnswer = 64 << 10
)

// play plays a role until the process is killed.
func play(role string) int {
	words := strings.Fields(role)
	l, err := net.Listen("tcp", words[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var h http.Handler
	switch words[0] {
	case "upstream":
		h = upstream()
	case "bare":
		h = bare(&url.URL{Scheme: "http", Host: words[2]})
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	if len(words) == 5 {
		err = server.ServeTLS(l, words[3], words[4])
	} else {
		err = server.Serve(l)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// seen is how the upstream's answer begins.
func seen(user string, groups int) string { return "seen " + user + " " + strconv.Itoa(groups) + "\n" }

// upstream answers with whom it was told the request is from and how many groups they
// are in, and with padding. /large is longer, and /count says how many it has answered.
func upstream() http.Handler {
	var answers atomic.Int64
	padding := strings.Repeat("x", largeAnswer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := smallAnswer
		switch {
		case r.URL.Path == "/count":
			fmt.Fprint(w, answers.Load())
			return
		case strings.HasSuffix(r.URL.Path, "/large"):
			size = largeAnswer
		}
		answers.Add(1)
		user, groups := "-", 0
		for _, name := range []string{"X-Forwarded-User", "Oidc_claim_preferred_username", "Oidc_claim_sub"} {
			if v := r.Header[name]; len(v) == 1 && v[0] != "" {
				user = v[0]
				break
			}
		}
		for _, name := range []string{"X-Forwarded-Groups", "Oidc_claim_groups"} {
			if v := r.Header[name]; len(v) == 1 && v[0] != "" {
				groups = strings.Count(v[0], ",") + 1
				break
			}
		}
		begin := seen(user, groups)
		h := w.Header()
		h["Content-Type"] = []string{"text/plain"}
		h["Content-Length"] = []string{strconv.Itoa(size)}
		_, _ = io.WriteString(w, begin)
		_, _ = io.WriteString(w, padding[:size-len(begin)])
	})
}

// bare is the standard library's proxy as well tuned as its fields allow.
func bare(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(to) },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 512,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
		BufferPool: &buffers{},
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, _ := b.pool.Get().(*[]byte); p != nil {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
