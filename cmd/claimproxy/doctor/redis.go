package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// shared is what a backend that replicas share may tell beside. *redis.Backend does.
type shared interface {
	session.Checker
	session.Fresher
	// About is what the server says about itself, as Redis names it.
	About(ctx context.Context) (map[string]string, error)
}

const seeRedis = "see session.redis: the address, the password, and whether the user may use keys that begin with claimproxy: (docs/sessions.md)"

// redis looks whether sessions can be looked up, kept, ended and heard of. It leaves a key
// of its own there for a second.
func (p *Patient) redis(ctx context.Context, n *notes) {
	if p.Backend == nil {
		n.add(Problem, "Redis", "it cannot be asked", "see session.redis")
		return
	}
	var key session.Key
	_, _ = rand.Read(key[:])
	began := p.Now()
	if _, err := p.Backend.Load(ctx, key); err != nil && !errors.Is(err, session.ErrNotFound) {
		n.add(Problem, "Redis", err.Error(), seeRedis+"; nobody is signed in without it")
		return
	}
	n.add(OK, "Redis", fmt.Sprintf("it answers, after %d ms", p.Now().Sub(began).Milliseconds()), "")
	server, ok := p.Backend.(shared)
	if !ok {
		return
	}
	if err := server.Check(ctx); err != nil {
		n.add(Problem, "keeping", err.Error(), "nobody new can sign in until that is mended")
	} else {
		n.add(OK, "keeping", "sessions can be kept", "")
	}
	if err := p.Backend.Delete(ctx, key); err != nil { // there is none
		n.add(Problem, "scripts", err.Error(), seeRedis+"; sessions are made, renewed and ended by scripts")
	} else {
		n.add(OK, "scripts", "it runs them", "")
	}
	if hears(ctx, server) {
		n.add(OK, "messages", "what one replica changes the others hear", "")
	} else {
		n.add(Problem, "messages", "what one replica changes the others do not hear", "let the user subscribe to channels that begin with claimproxy: (&claimproxy:* +@pubsub); without that each request asks Redis")
	}
	p.server(ctx, n, server)
}

// hears waits a moment for a backend to hear of changes.
func hears(ctx context.Context, server session.Fresher) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for !server.Fresh() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// oldest is the first version of Redis that has all commands.
const oldest = 5

// server looks at what a server says about itself.
func (p *Patient) server(ctx context.Context, n *notes, server shared) {
	about, err := server.About(ctx)
	if err != nil || about["redis_version"] == "" {
		n.add(Note, "server", "claimproxy's user may not ask it about itself, and need not", "look yourself that it evicts nothing (maxmemory-policy noeviction)")
		return
	}
	version := about["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	switch number, err := strconv.Atoi(major); {
	case err == nil && number < oldest:
		n.add(Problem, "version", fmt.Sprintf("%s is older than %d", version, oldest), "claimproxy needs commands of Redis 5: install a later one")
	default:
		n.add(OK, "version", version, "")
	}
	switch policy, limit := about["maxmemory_policy"], about["maxmemory"]; {
	case policy == "" || policy == "noeviction":
		n.add(OK, "eviction", "it drops nothing when its memory is full", "")
	case limit == "0":
		n.add(Note, "eviction", policy+", and it has no maxmemory, so that nothing is dropped", "set maxmemory-policy noeviction before you set one")
	default:
		n.add(Warning, "eviction", policy+": when its memory is full it drops sessions that are still good, and these people have to sign in again",
			"set maxmemory-policy noeviction, and give claimproxy a server that no cache uses")
	}
	if about["aof_enabled"] == "0" && about["rdb_last_save_time"] != "" && about["role"] == "master" && about["connected_slaves"] == "0" {
		n.add(Note, "restart", "it has no replica and writes no append-only file: what it was told since it last saved is gone when it restarts", "appendonly yes, if people shall stay signed in over that")
	}
}
