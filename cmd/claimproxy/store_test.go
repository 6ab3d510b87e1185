package main

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

func TestWhichRedisIsMeant(t *testing.T) {
	type place struct {
		Addrs              []string
		Master             string
		Cluster            bool
		DB                 int
		Username, Password string
		TLS                bool
	}
	for _, test := range []struct {
		name string
		is   config.Redis
		want place
	}{
		{"a server", config.Redis{URL: []string{"redis://127.0.0.1/2"}}, place{Addrs: []string{"127.0.0.1:6379"}, DB: 2}},
		{"a user", config.Redis{URL: []string{"rediss://Redis.example.org:1"}, Username: "claimproxy", Password: config.NewSecret("hunter2")},
			place{Addrs: []string{"redis.example.org:1"}, Username: "claimproxy", Password: "hunter2", TLS: true}},
		{"a socket", config.Redis{URL: []string{"unix:///run/redis.sock?db=3"}}, place{Addrs: []string{"/run/redis.sock"}, DB: 3}},
		{"a Cluster", config.Redis{URL: []string{"rediss://a:1", "rediss://b:2"}, Cluster: true},
			place{Addrs: []string{"a:1", "b:2"}, Cluster: true, TLS: true}},
		{"sentinels", config.Redis{Sentinels: []string{"a:1", "b:2"}, Master: "sessions"}, place{Addrs: []string{"a:1", "b:2"}, Master: "sessions"}},
		{"sentinels and a database", config.Redis{URL: []string{"rediss:///4"}, Sentinels: []string{"a:1"}, Master: "sessions"},
			place{Addrs: []string{"a:1"}, Master: "sessions", DB: 4, TLS: true}},
	} {
		o, err := redisOptions(&test.is, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := place{o.Addrs, o.Master, o.Cluster, o.DB, o.Username, o.Password, o.TLS != nil}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Replicas have the secrets of the configuration in common and nothing of their own.
func TestSealerOfReplicasHasNoSecretOfItsOwn(t *testing.T) {
	cfg := &config.Config{StateDir: t.TempDir(), Session: config.Session{Store: config.StoreRedis}}
	if _, err := newSealer(cfg); err == nil {
		t.Error("no secrets: got a sealer")
	}
	_, secret, _ := command(t, "secret")
	cfg.Session.Secrets = []config.Secret{config.NewSecret(secret)}
	if _, err := newSealer(cfg); err != nil {
		t.Error(err)
	}
	if made, _ := os.ReadDir(cfg.StateDir); len(made) > 0 {
		t.Errorf("made %v", made)
	}
}

// TestARedisThatIsDownStopsNobodyElse: the program starts, and whoever needs no session is
// served.
func TestARedisThatIsDownStopsNobodyElse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	_, secret, _ := command(t, "secret")
	r := start(t, echo,
		"session: {store: redis, secrets: ["+strings.TrimSpace(secret)+"], redis: {url: \"redis://"+nobody+"\"}}",
		"  - {path: /public, upstream: app, allow: public}\n  - {path: /, upstream: app, allow: developers}\n")
	if status, body := r.ask(http.MethodGet, r.public+"/public"); status != http.StatusOK {
		t.Errorf("a public route: got %d %s", status, body)
	}
	if status, body := r.ask(http.MethodGet, r.public+"/x"); status != http.StatusUnauthorized {
		t.Errorf("without credentials: got %d %s", status, body)
	}
	r.signIn("ada")
	if status, body := r.ask(http.MethodGet, r.public+"/x"); status != http.StatusOK {
		t.Errorf("with a token: got %d %s", status, body)
	}
	r.stop()
	if _, err := os.Stat(filepath.Join(r.dir, "state")); err == nil {
		t.Error("a state directory was made, and nothing is kept there")
	}
	if log := r.stderr.String(); strings.Contains(log, strings.TrimSpace(secret)) || !strings.Contains(log, "redis") {
		t.Errorf("the log has the secret, or nothing of the trouble:\n%s", log)
	}
}
