package main

import (
	"fmt"
	"net/http"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/provider"
)

// lasting is the sessions of a store.
type lasting interface {
	login.Sessions
	// Look is Identify for a request that is under way.
	Look(r *http.Request) (*session.Identity, error)
}

// configured is the sessions of people who signed in at a provider that the
// configuration has. One that was taken out of it, or stands for another issuer now,
// vouches for nobody, however long the session would go on.
type configured struct {
	lasting
	issuers map[string]string // by the provider's id
}

func sessionsOf(all lasting, providers []*provider.Provider) configured {
	c := configured{lasting: all, issuers: make(map[string]string, len(providers))}
	for _, p := range providers {
		c.issuers[p.ID] = p.Issuer
	}
	return c
}

// Identify says whose session the request's cookie is.
func (c configured) Identify(r *http.Request) (*session.Identity, error) {
	return c.vouched(c.lasting.Identify(r))
}

// Look says the same, and the session is not used by that.
func (c configured) Look(r *http.Request) (*session.Identity, error) {
	return c.vouched(c.lasting.Look(r))
}

func (c configured) vouched(id *session.Identity, err error) (*session.Identity, error) {
	if err != nil {
		return nil, err
	}
	if issuer, ok := c.issuers[id.Provider]; !ok || issuer != id.Issuer {
		return nil, session.Reject(session.ReasonSessionEnded, "The place where you signed in is not used here any more. Please sign in again.",
			fmt.Errorf("the session is of provider %q, which is not configured", id.Provider))
	}
	return id, nil
}
