package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/audit"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/stateless"
)

// process is what a configuration runs in, and what is not made anew for another: the
// listeners, those who watch, and what one configuration leaves to the next.
type process struct {
	listeners []net.Listener
	// redirecting are those for plain HTTP, which lead to https.
	redirecting []net.Listener
	admin       *admin // nil: there is none
	watch       watch
	shown       *shown
	// current answers requests.
	current current
	// connections are those to upstreams, and shelf has the other parts that
	// configurations share.
	connections proxy.Connections
	shelf       shelf
	// limiter counts what limits bound.
	limiter limit.Limiter
	// endedSessions are those that were ended here while copies of their cookies may be
	// about.
	endedSessions stateless.Ended
	// circles are browsers that may be going round in them.
	circles login.Circles
	// ready is called once requests are answered.
	ready   func()
	systemd systemd
}

// open opens the audit log and the addresses. Whatever it returns, close closes what
// was opened.
func (p *process) open(c *config.Config, to *audit.Config) error {
	var err error
	if to != nil {
		if p.watch.audit, err = audit.Open(*to); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	if p.shown, err = newShown(c, p.watch.log); err != nil {
		return err
	}
	if c.Admin != nil {
		p.watch.newMetrics(&p.current, p.shown.ends, &p.limiter)
		p.connections.Failed = p.watch.metrics.UpstreamFailed
		if p.admin, err = listenAdmin(c.Admin, p.watch.metrics.Handler(p.watch.log), p.watch.log); err != nil {
			return err
		}
	}
	if err := p.watch.trace(c); err != nil {
		return err
	}
	p.listeners, p.redirecting, err = listen(c, p.shown, &p.limiter)
	return err
}

// close closes the admin listener last: until then it can be asked.
func (p *process) close() {
	closeAll(p.listeners)
	closeAll(p.redirecting)
	p.watch.close()
	if p.admin != nil {
		p.admin.close()
	}
}

// stand tells the admin listener how it stands with the proxy, empty for well.
func (p *process) stand(why string) {
	if p.admin != nil {
		p.admin.ready.set("proxy", why)
	}
}

// standByAudit has the admin listener tell how it stands with the audit log.
func (p *process) standByAudit() {
	if p.admin == nil || p.watch.audit == nil {
		return
	}
	p.admin.ready.ask("audit", func(context.Context) standing {
		return p.watch.auditStanding(p.current.now.Load().config, time.Now())
	})
}

// standByCertificates has it tell how it stands with those that are ordered.
func (p *process) standByCertificates() {
	if p.admin != nil && p.shown != nil && p.shown.ordered != nil {
		p.admin.ready.ask("certificates", p.shown.standing)
	}
}

// standByConfiguration tells the admin listener whether the files are what is at work,
// empty for yes. Where they are not, what is at work is good all the same.
func (p *process) standByConfiguration(why string) {
	if p.admin != nil {
		p.admin.ready.ask("configuration", func(context.Context) standing { return standing{Ready: true, Why: why} })
	}
}

// onSignals calls do for each of the signals, until the function that it returns is
// called.
func onSignals(signals []os.Signal, do func()) (stop func()) {
	if len(signals) == 0 {
		return func() {} // Notify without any would mean all
	}
	got, end, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(got, signals...)
	go func() {
		defer close(ended)
		for {
			select {
			case <-got:
				do()
			case <-end:
				return
			}
		}
	}()
	return func() {
		signal.Stop(got)
		close(end)
		<-ended
	}
}
