package doctor

import (
	"context"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// store looks at what keeps the sessions.
func (p *Patient) store(ctx context.Context) []Finding {
	n := &notes{about: "sessions"}
	switch p.Config.Session.Store {
	case config.StoreCookie:
		n.add(OK, "store", "in people's cookies alone", "")
	case config.StoreFile:
		n.add(OK, "store", "in a file in state_dir, for this one claimproxy", "")
	default:
		p.redis(ctx, n)
	}
	return n.list
}
