package config

import (
	"net"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// Admin is the listener for those who run claimproxy: /healthz, /readyz and /metrics, and
// /sessions, where people's sessions are listed and ended. It asks nobody to sign in, so
// whoever reaches it is trusted, and speaks plain HTTP; what it answers is never found on
// another listener.
type Admin struct {
	// Listen is its address, as host:port. The default is 127.0.0.1:8081. No entry of
	// the public Listen can be the same.
	Listen string `yaml:"listen"`
	// AllowRemote lets Listen be an address that other machines reach. They can then
	// read the metrics, which name the routes and policies, see where people are signed
	// in, and end their sessions. The default is false.
	AllowRemote bool `yaml:"allow_remote"`
	// Pprof answers at /debug/pprof/ with profiles of the running program, for "go tool
	// pprof". They hold names of functions and no data of requests; whoever asks for one
	// slows the program down meanwhile. The default is false.
	Pprof bool `yaml:"pprof"`
}

// Audit is where the audit log is written: one line of JSON for each decision. It is
// either File, Stdout or Syslog. The option --audit of serve replaces it.
type Audit struct {
	// File is a file that lines are appended to. If it is not there claimproxy makes
	// it, for its own user alone, but no directory for it. SIGUSR1 opens it again,
	// and so does the next line after it was renamed.
	File string `yaml:"file,path"`
	// Stdout writes to standard output, where nothing else is written.
	Stdout bool `yaml:"stdout"`
	// Syslog writes to the syslog of this machine: each line is a message of claimproxy,
	// with facility authpriv and severity info. There is none on Windows.
	Syslog bool `yaml:"syslog"`
	// OnFailure is what happens while lines cannot be written, because a disk is full
	// say: "continue", the default, goes on without them, "refuse" lets nobody in, with
	// 503. Lost lines are counted and told in either case.
	OnFailure OnFailure `yaml:"on_failure"`
}

// OnFailure is what is done while the audit log cannot be written.
type OnFailure string

// The values of OnFailure.
const (
	OnFailureContinue OnFailure = "continue"
	OnFailureRefuse   OnFailure = "refuse"
)

func (OnFailure) words() []string {
	return []string{string(OnFailureContinue), string(OnFailureRefuse)}
}

// Tracing has OpenTelemetry told of each request, by OTLP over HTTP. Without it, the
// environment may say where to: OTEL_EXPORTER_OTLP_ENDPOINT; the other variables of
// OpenTelemetry, such as OTEL_EXPORTER_OTLP_HEADERS and OTEL_TRACES_SAMPLER, count in either
// case.
type Tracing struct {
	// Endpoint is the collector: http or https, a host and perhaps a port, as in
	// http://127.0.0.1:4318. Spans go to /v1/traces there.
	Endpoint *url.URL `yaml:"endpoint,required"`
}

func (l *loader) validateTracing(c *Config) {
	if t := c.Tracing; t != nil && l.good(&c.Tracing) && l.good(&t.Endpoint) {
		l.checkURL(&t.Endpoint, t.Endpoint.String(), collectorRule)
	}
}

func (a *Audit) decode(l *loader, n *yaml.Node, path string) bool {
	if isText(n) {
		f := l.fault(n, path, "expected a mapping, got %s", quote(n.Value))
		switch n.Value {
		case "stdout", "-":
			f.hint("write {stdout: true}")
		case "syslog":
			f.hint("write {syslog: true}")
		default:
			f.hint("write {file: %s} or {stdout: true}", quote(n.Value))
		}
		return false
	}
	return l.structureInto(a, n, path)
}

func (l *loader) validateAudit(c *Config) {
	a := c.Audit
	if a == nil || !l.good(&c.Audit) || !l.fine(&a.File) || !l.fine(&a.Stdout) || !l.fine(&a.Syslog) {
		return
	}
	switch at := l.places[&a.File]; {
	case a.File != "" && a.Stdout:
		l.bad(&a.Stdout, "expected file, stdout or syslog, got two of them")
	case a.Syslog && (a.File != "" || a.Stdout):
		l.bad(&a.Syslog, "expected file, stdout or syslog, got two of them")
	case a.File == "" && !a.Stdout && !a.Syslog:
		l.bad(&c.Audit, "expected file, stdout or syslog, got none of them").hint("write {file: FILE}, {stdout: true} or {syslog: true}")
	case a.File != "" && at.node.Value == "-":
		l.bad(&a.File, `expected the name of a file, got "-"`).hint("write {stdout: true}")
	}
}

func (l *loader) validateAdmin(c *Config) {
	if c.Admin == nil || !l.good(&c.Admin) {
		return
	}
	// Where the file says nothing, the default is what is wrong with admin.
	listen, at := c.Admin.Listen, any(&c.Admin)
	if l.good(&c.Admin.Listen) {
		at = &c.Admin.Listen
	} else if !l.fine(&c.Admin.Listen) {
		return
	}
	if problem := checkListen(listen); problem != "" {
		l.bad(at, "%s", problem)
		return
	}
	if host, _, _ := net.SplitHostPort(listen); !isLoopback(host) && !c.Admin.AllowRemote {
		l.bad(at, "expected an address of this machine alone, as in 127.0.0.1:8081, got %s: other machines could read the metrics and end sessions", quote(listen)).
			hint("allow_remote: true lets them")
		return
	}
	for i := range c.Listen {
		public := &c.Listen[i]
		if l.fine(&c.Listen) && l.fine(public) && checkListen(*public) == "" && collide(*public, listen) {
			name := "the default of listen"
			if p, ok := l.places[public]; ok {
				name = p.path
			}
			l.bad(at, "expected an address other than those of listen, got %s: %s is %s", quote(listen), name, quote(*public))
			return
		}
	}
}

// collide reports whether two addresses cannot both be listened on.
func collide(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || portA == "0" {
		return false
	}
	everything := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	name := func(host string) bool { return strings.EqualFold(host, "localhost") }
	return strings.EqualFold(hostA, hostB) || everything(hostA) || everything(hostB) ||
		name(hostA) && isLoopback(hostB) || name(hostB) && isLoopback(hostA)
}
