package main

import (
	"context"
	"log/slog"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/login"
)

// announcer tells other processes about a person, and hears them. *session.Store is one.
type announcer interface {
	Announce(ctx context.Context, issuer, subject string) error
	Announced(key session.Key) (about func(issuer, subject string) bool, ok bool)
	Watch(changed func(session.Key)) (stop func())
}

// everywhere forgets the tokens of a person at every replica.
type everywhere struct {
	*bearer.Verifier
	replicas announcer
	log      *slog.Logger
}

// tokensEverywhere has tokens forgotten here and at all replicas, until stop is called;
// without replicas, here.
func tokensEverywhere(tokens *bearer.Verifier, replicas announcer, log *slog.Logger) (_ login.Tokens, stop func()) {
	if replicas == nil {
		return tokens, func() {}
	}
	stop = replicas.Watch(func(key session.Key) {
		if about, ok := replicas.Announced(key); ok {
			tokens.ForgetThose(about)
		}
	})
	return &everywhere{tokens, replicas, log}, stop
}

// Forget implements login.Tokens.
func (e *everywhere) Forget(issuer, subject string) {
	e.Verifier.Forget(issuer, subject)
	if err := e.replicas.Announce(context.Background(), issuer, subject); err != nil {
		e.log.Warn("other replicas could not be told that a person's tokens are to be checked again; they do it within cache_max", "error", err)
	}
}
