package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Refusal is what a Redis has answered in place of a result. It has the first word of
// the answer alone: servers repeat commands in the rest, passwords included.
type Refusal struct {
	// Code is the first word, such as READONLY.
	Code string
	// Advice says what that means for claimproxy and what to do.
	Advice string
}

func (e *Refusal) Error() string { return "redis answers " + e.Code + ": " + e.Advice }

// advice is by the first word of the answer, or, where that is ERR, by some more words.
var advice = []struct{ answer, says string }{
	{"NOAUTH", "it wants a password: set session.redis.password, and username for an ACL user"},
	{"WRONGPASS", "it does not know this user name and password: see session.redis.username and password"},
	{"NOPERM", "the user may not do what claimproxy does: give it ~claimproxy:* &claimproxy:* +@read +@write +@pubsub +@connection +@scripting"},
	{"LOADING", "it is still reading its data; this passes"},
	{"READONLY", "it is a replica: set session.redis.url to the master, or name the sentinels and the master's name"},
	{"OOM", "its memory is full: raise its maxmemory, or let it evict what others keep there"},
	{"MISCONF", "it cannot write its data to the disk, and refuses changes: see its log"},
	{"NOREPLICAS", "it has fewer replicas than its min-replicas-to-write asks for"},
	{"MASTERDOWN", "it is a replica that has lost its master"},
	{"MOVED", "it is a node of a Cluster: set session.redis.cluster: true"},
	{"ASK", "it is a node of a Cluster: set session.redis.cluster: true"},
	{"CLUSTERDOWN", "the Cluster does not serve all of its slots"},
	{"TRYAGAIN", "the Cluster is moving slots; this passes"},
	{"WRONGTYPE", "another program keeps something else under claimproxy:*; give claimproxy a database of its own"},
	{"BUSY", "a script of another program runs for too long"},
	{"DENIED", "its protected mode lets only its own machine in: give it a password, and bind it where it is needed"},
	{"ERR max number of clients", "it has no connection left: raise its maxclients"},
	{"ERR unknown command", "it is too old, or commands were renamed: claimproxy needs EVAL, EVALSHA, HSET, PUBLISH and SUBSCRIBE of Redis 5"},
	{"ERR DB index is out of range", "it has no database of this number: see session.redis.url"},
	{"ERR invalid DB index", "it has no database of this number: see session.redis.url"},
	{"ERR SELECT is not allowed in cluster mode", "a Cluster has database 0 alone: see session.redis.url"},
	{"ERR Client sent AUTH, but no password is set", "it has no password: leave session.redis.password out"},
	{"ERR AUTH <password> called without any password", "it has no password: leave session.redis.password out"},
	{"ERR This instance has cluster support disabled", "it is no Cluster: leave session.redis.cluster out"},
}

// explain turns an error of the client into one that may be logged and says what to do.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var answered redis.Error
	if !errors.As(err, &answered) {
		return fmt.Errorf("redis: %w", err)
	}
	text := answered.Error()
	// An error inside a script may stand behind another word.
	text = strings.TrimPrefix(strings.TrimPrefix(text, "ERR Error running script: "), "-")
	for _, a := range advice {
		if strings.HasPrefix(text, a.answer) {
			code, _, _ := strings.Cut(a.answer, " ")
			return &Refusal{code, a.says}
		}
	}
	code, _, _ := strings.Cut(text, " ")
	if code == "" || len(code) > 20 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		code = "an error"
	}
	return &Refusal{code, "see its log, and whether it is a Redis of version 5 or later"}
}

// troubleEvery is how often the same trouble is logged at most.
const troubleEvery = 10 * time.Second

// troubleLog says what is wrong, and not with each request.
type troubleLog struct {
	mu   sync.Mutex
	last string
	at   time.Time
}

func (t *troubleLog) note(ctx context.Context, log *slog.Logger, err error) {
	if err == nil || ctx.Err() != nil { // who asked has left, or waited for too long
		return
	}
	text := err.Error()
	t.mu.Lock()
	again := text == t.last && time.Since(t.at) < troubleEvery
	if !again {
		t.last, t.at = text, time.Now()
	}
	t.mu.Unlock()
	if !again {
		log.WarnContext(ctx, "the session store cannot be used as it should", "error", err)
	}
}
