package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
)

// openStore opens the store of sessions that are kept here or in a Redis, and starts the
// goroutine that looks after it.
func (s *service) openStore(cfg *config.Config, sealer *session.Sealer, renewer session.Renewer, providers fingerprint, w *watch) (*session.Store, error) {
	log := w.log
	kept, err := keptIn(cfg)
	if err != nil {
		return nil, err
	}
	backend, release, err := take(s.shelf, kept, func() (session.Backend, func(), error) {
		backend, err := openBackend(cfg, log)
		if err != nil {
			return nil, nil, err
		}
		return w.tracing.Backend(string(cfg.Session.Store), backend), func() {
			if err := backend.Close(); err != nil {
				log.Error("closing the session store", "error", err)
			}
		}, nil
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	s.backend = backend
	if checker, ok := backend.(session.Checker); ok {
		s.checkSessions = checker.Check
	}
	o := session.StoreOptions{
		CookieName: cfg.Session.Cookie.Name, CookieDomain: cfg.Session.Cookie.Domain,
		// Plain http is for loopback hosts alone: config has made sure.
		Secure: cfg.PublicURL.Scheme == "https", SameSite: sameSite(cfg),
		Idle: cfg.Session.Idle, Lifetime: cfg.Session.Lifetime,
		Recheck: cfg.Session.Recheck, Grace: cfg.Session.Grace, CacheBytes: openedMemory(cfg),
	}
	key := fingerprintOf("store", kept, secretsOf(cfg), providers, o)
	o.Backend, o.Sealer, o.Renewer, o.Log = backend, sealer, renewer, log
	store, release, err := take(s.shelf, key, func() (*session.Store, func(), error) {
		store, err := session.NewStore(o)
		if err != nil {
			return nil, nil, err
		}
		stop := background(store.Run)
		return store, func() { stop(); store.Close() }, nil
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	return store, nil
}

// openedMemory is how much memory opened sessions may take: the file store has sealed ones
// in the other half.
func openedMemory(cfg *config.Config) int {
	if cfg.Session.Store == config.StoreFile {
		return int(cfg.Session.Memory / 2)
	}
	return int(cfg.Session.Memory)
}

// keptIn stands for where sessions are kept.
func keptIn(cfg *config.Config) (fingerprint, error) {
	if cfg.Session.Store != config.StoreRedis {
		return fingerprintOf("backend", cfg.Session.Store, cfg.StateDir), nil
	}
	r := *cfg.Session.Redis
	ca, err := readPEM(r.CA)
	password := r.Password.Reveal()
	r.Password, r.CA = config.Secret{}, ""
	return fingerprintOf("backend", cfg.Session.Store, r, password, ca), err
}

// secretsOf are the secrets of sessions, in plain.
func secretsOf(cfg *config.Config) []string {
	all := make([]string, len(cfg.Session.Secrets))
	for i, secret := range cfg.Session.Secrets {
		all[i] = secret.Reveal()
	}
	return all
}

// openBackend opens what keeps the sealed sessions.
func openBackend(cfg *config.Config, log *slog.Logger) (session.Backend, error) {
	switch cfg.Session.Store {
	case config.StoreRedis:
		o, err := redisOptions(cfg.Session.Redis, log)
		if err != nil {
			return nil, fmt.Errorf("session.redis: %w", err)
		}
		return redis.New(o)
	case config.StoreFile:
		backend, err := session.OpenFile(session.FileOptions{Dir: cfg.StateDir, MemoryBytes: int(cfg.Session.Memory) - openedMemory(cfg), Log: log})
		if err != nil {
			return nil, fmt.Errorf("state_dir: %w", err)
		}
		return backend, nil
	}
	return nil, fmt.Errorf("session.store: there is no store %q", cfg.Session.Store)
}

// redisOptions says where a Redis is. With sentinels the URL has the scheme and the
// database alone, and may be left out.
func redisOptions(r *config.Redis, log *slog.Logger) (redis.Options, error) {
	o := redis.Options{
		Master: r.Master, Cluster: r.Cluster, Username: r.Username, Password: r.Password.Reveal(), Log: log,
	}
	for _, server := range r.Servers() {
		o.Addrs = append(o.Addrs, server.Addr)
		o.DB = server.DB
		if server.TLS && o.TLS == nil {
			pem, err := readPEM(r.CA)
			if err != nil {
				return o, fmt.Errorf("ca: %w", err)
			}
			roots, err := certPool(r.CA, pem)
			if err != nil {
				return o, fmt.Errorf("ca: %w", err)
			}
			o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		}
	}
	if len(r.Sentinels) > 0 {
		o.Addrs = r.Sentinels
	}
	return o, nil
}
