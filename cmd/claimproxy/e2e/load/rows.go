package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// row is a line of the table: the same request, or what comes nearest to it, to several
// contenders. The first is the reference.
type row struct {
	name   string
	makers []maker
}

// maker starts a contender.
type maker struct {
	name string
	make func(w *world) (*contender, error)
}

// rows are all that can be measured.
var rows = []row{
	{"public", []maker{bareProxy("/public/x"), ours(setup{path: "/public/x"}), nginxPlain("/x"), haproxyPlain("/x"), apachePlain("/x")}},
	{"session, 5 groups", []maker{bareProxy("/x"), ours(setup{path: "/x", person: few}), apacheSession(few)}},
	{"session, 200 groups", []maker{bareProxy("/x"), ours(setup{path: "/x", person: many}), apacheSession(many)}},
	{"session in Redis", []maker{bareProxy("/x"), ours(setup{path: "/x", person: few, redis: true})}},
	{"cached JWT", []maker{bareProxy("/x"), ours(setup{path: "/x", client: "jwt"}), haproxyJWT(false), apacheJWT()}},
	{"cached opaque token", []maker{bareProxy("/x"), ours(setup{path: "/x", client: "native"})}},
	{"TLS, session, 5 groups", []maker{bareTLS("/x", overTLS), ours(setup{path: "/x", person: few, way: overTLS})}},
	{"TLS, each on a connection that is resumed", []maker{bareTLS("/public/x", resuming), ours(setup{path: "/public/x", way: resuming})}},
	{"HTTP/2, session, 5 groups", []maker{bareTLS("/x", overHTTP2), ours(setup{path: "/x", person: few, way: overHTTP2})}},
	{"every JWT different", []maker{bareProxy("/x"), ours(setup{path: "/x", client: "jwt", differing: true}), haproxyJWT(true)}},
	{"302 to the provider", []maker{bareProxy("/x"), ours(setup{path: "/.auth/start/invent?return_to=%2Fx", want: redirect}), apacheRedirect()}},
	{"401", []maker{bareProxy("/x"), ours(setup{path: "/x", want: unauthorized}), apacheUnauthorized()}},
	{"1,000 routes and policies", []maker{
		bareProxy("/x"), named("claimproxy, 3 routes", ours(setup{path: "/x", person: few})),
		ours(setup{path: "/app997/team/x", person: few, routes: 1000}),
	}},
	{"64 KiB", []maker{bareProxy("/large"), ours(setup{path: "/public/large"}), nginxPlain("/large"), haproxyPlain("/large"), apachePlain("/large")}},
}

func named(name string, m maker) maker { return maker{name, m.make} }

// The answers that are no upstream's.
var (
	redirect     = &expectation{status: http.StatusFound, header: "/oauth/authorize?"}
	unauthorized = &expectation{status: http.StatusUnauthorized, header: "Bearer"}
)

// fromUpstream is an answer of the upstream to a request that it believes to be from
// a user in so many groups.
func fromUpstream(path, user string, groups int) *expectation {
	size := smallAnswer
	if strings.HasSuffix(path, "/large") {
		size = largeAnswer
	}
	return &expectation{status: http.StatusOK, body: seen(user, groups), size: size}
}

// request is what is sent, with the headers that browsers and tools send.
func request(host, path string, headers ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load/1\r\nAccept: */*\r\n", path, host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// always gives the same request again and again.
func always(request []byte, want *expectation) requests {
	s := shot{request, want}
	return func(int) func() (shot, bool) { return func() (shot, bool) { return s, true } }
}

// differing gives a request with another token each time, until there are no more of
// them for this turn.
func differing(host, path string, tokens []string, want *expectation) requests {
	return func(turn int) func() (shot, bool) {
		shots := make([]shot, tokensInTurn)
		for i, t := range tokens[turn*tokensInTurn:][:tokensInTurn] {
			shots[i] = shot{request(host, path, "Authorization: Bearer "+t), want}
		}
		var used atomic.Int64
		return func() (shot, bool) {
			if i := used.Add(1); i <= tokensInTurn {
				return shots[i-1], true
			}
			return shot{}, false
		}
	}
}

func bareProxy(path string) maker {
	return maker{"ReverseProxy", func(w *world) (*contender, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		p, err := w.start(addr, true, []string{roleVariable + "=bare " + addr + " " + w.upstream}, "")
		if err != nil {
			return nil, err
		}
		return &contender{
			process: p, addr: addr, forwards: true,
			next: always(request("localhost", path), fromUpstream(path, "-", 0)),
		}, nil
	}}
}
