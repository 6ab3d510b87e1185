// Package doctor asks everybody that a configuration names whether they are there and
// agree with it: providers, clients, upstreams, the session store, the files. It finds
// what "check" cannot know without a network, and says of each thing what to do about it.
//
// It asks what a running claimproxy asks, and shows a provider one authorization code and
// one token that nobody has. It leaves a key in Redis for a second, and changes nothing
// else, here or there.
package doctor

import (
	"context"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	// OK is as it should be.
	OK Level = "ok"
	// Note is worth knowing and asks for nothing.
	Note Level = "note"
	// Warning may be meant, and may be a fault.
	Warning Level = "warning"
	// Problem keeps people out, or somebody in.
	Problem Level = "problem"
)

// Finding is one thing that was looked at. Its names are for programs and stay.
type Finding struct {
	// About is what it is about, such as "provider invent".
	About string `json:"about"`
	// Check is what was looked at, in a word or two.
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Says is what was found, and Do what to do about it; empty where there is nothing
	// to do.
	Says string `json:"says"`
	Do   string `json:"do,omitempty"`
}

// Patient is what is examined.
type Patient struct {
	Config    *config.Config
	Providers []*provider.Provider
	// Tokens checks Token as a running claimproxy does.
	Tokens *bearer.Verifier
	// Needs are the claims that policies and identity headers use.
	Needs []string
	// Backend keeps the sessions; nil where that cannot be opened beside a running
	// claimproxy, or need not be.
	Backend session.Backend
	// Authority asks whom certificates are ordered from for its terms; nil where none are.
	Authority func(context.Context) (terms string, err error)
	// Token is an access token to ask about, empty for none. No finding holds it.
	Token string
	Now   func() time.Time
}

// patience bounds each thing that is looked at.
const patience = 12 * time.Second

// Examine looks at everything, at the same time, and returns what was found in the order
// of the configuration.
func Examine(ctx context.Context, p Patient) []Finding {
	if p.Now == nil {
		p.Now = time.Now
	}
	looks := []func(context.Context) []Finding{p.publicURL, p.files, p.store}
	if p.Authority != nil {
		looks = append(looks, p.authority)
	}
	for _, host := range p.Config.OrderedHosts() {
		looks = append(looks, func(ctx context.Context) []Finding { return p.certificate(ctx, host) })
	}
	for _, one := range p.Providers {
		looks = append(looks, func(ctx context.Context) []Finding { return p.provider(ctx, one) })
	}
	if p.Token != "" {
		looks = append(looks, p.token)
	}
	looks = append(looks, p.upstreams()...)
	found := make([][]Finding, len(looks))
	var all sync.WaitGroup
	for i, look := range looks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			found[i] = look(ctx)
		})
	}
	all.Wait()
	var list []Finding
	for _, some := range found {
		list = append(list, some...)
	}
	return list
}

// Sound says whether there is no problem among the findings.
func Sound(list []Finding) bool {
	for _, f := range list {
		if f.Level == Problem {
			return false
		}
	}
	return true
}

// notes gathers findings about one thing.
type notes struct {
	about string
	list  []Finding
}

func (n *notes) add(level Level, check, says, do string) {
	n.list = append(n.list, Finding{About: n.about, Check: check, Level: level, Says: says, Do: do})
}
