package redis

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say which Redis keeps the sessions. Addrs is obligatory.
type Options struct {
	// Addrs are the server as host:port, or the path of its socket; with Cluster some
	// of its nodes, from which the others are learned; with Master the sentinels.
	Addrs []string
	// Master is the name by which the sentinels know the server.
	Master string
	// Cluster says that Addrs are nodes of a Redis Cluster.
	Cluster bool
	// DB is the number of the database; a Cluster has 0 alone.
	DB int
	// Username and Password are those of an ACL user, or the password alone. The
	// sentinels are asked without.
	Username, Password string
	// TLS makes every connection a TLS one; nil means plain.
	TLS *tls.Config
	// Prefix is what the names of all keys and channels begin with; "" means
	// "claimproxy:".
	Prefix string
	// Lease is how long a turn is kept from others when its holder has died; zero means
	// 20 seconds. It is longer than a renewal takes, so that a Redis that goes away
	// meanwhile takes nobody's turn.
	Lease time.Duration
	// Log gets what people need not see; nil means slog.Default().
	Log *slog.Logger
}

const (
	// A Redis that is well answers in a millisecond. Who waits longer than this for one
	// that is not had better be told to come again.
	dialTimeout = 2 * time.Second
	ioTimeout   = 2 * time.Second
	// A connection that breaks or a server that is just taking over is tried again, at
	// moments that differ from one request to the next.
	maxRetries = 2
	minBackoff = 10 * time.Millisecond
	maxBackoff = 250 * time.Millisecond
	// poolSize bounds the connections to each server, and so how many come at once to
	// one that has just returned.
	poolSize = 32
	minIdle  = 2
)

// connect makes the client. It asks nobody.
func connect(o Options) redis.UniversalClient {
	quiet()
	switch {
	case o.Cluster:
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
			DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, ContextTimeoutEnabled: true,
			MaxRetries: maxRetries, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff, DialerRetries: 1,
			PoolSize: poolSize, PoolTimeout: ioTimeout, MinIdleConns: minIdle,
			DisableIdentity: true, MaintNotificationsConfig: noNotifications(),
		})
	case o.Master != "":
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: o.Master, SentinelAddrs: o.Addrs, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
			DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, ContextTimeoutEnabled: true,
			MaxRetries: maxRetries, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff, DialerRetries: 1,
			PoolSize: poolSize, PoolTimeout: ioTimeout, MinIdleConns: minIdle,
			DisableIdentity: true,
		})
	}
	network := "tcp"
	if strings.HasPrefix(o.Addrs[0], "/") {
		network = "unix"
	}
	return redis.NewClient(&redis.Options{
		Network: network, Addr: o.Addrs[0], Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, ContextTimeoutEnabled: true,
		MaxRetries: maxRetries, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff, DialerRetries: 1,
		PoolSize: poolSize, PoolTimeout: ioTimeout, MinIdleConns: minIdle,
		DisableIdentity: true, MaintNotificationsConfig: noNotifications(),
	})
}

// noNotifications keeps the client from commands that servers in the field do not know.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// quiet ends what the library prints to stderr by itself: it is not the log's JSON, and
// servers repeat commands in their errors, passwords included.
var quiet = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })
