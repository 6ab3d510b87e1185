package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
)

// store asks the session store for a session that nobody has.
func (p *Patient) store(ctx context.Context) []Finding {
	n := &notes{about: "sessions"}
	switch {
	case p.Config.Session.Store == config.StoreCookie:
		n.add(OK, "store", "in people's cookies alone", "")
	case p.Config.Session.Store == config.StoreFile:
		n.add(OK, "store", "in a file in state_dir, for this one claimproxy", "")
	case p.Backend == nil:
		n.add(Problem, "Redis", "it cannot be asked", "see session.redis")
	default:
		var key session.Key
		_, _ = rand.Read(key[:])
		began := p.Now()
		if _, err := p.Backend.Load(ctx, key); err != nil && !errors.Is(err, session.ErrNotFound) {
			n.add(Problem, "Redis", err.Error(), "see session.redis: the address, the password, and whether the user may use keys that begin with claimproxy: (docs/sessions.md); nobody is signed in without it")
			return n.list
		}
		n.add(OK, "Redis", fmt.Sprintf("it answers, after %d ms", p.Now().Sub(began).Milliseconds()), "")
	}
	return n.list
}
