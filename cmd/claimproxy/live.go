package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/doctor"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/provider"
	"github.com/claimproxy/claimproxy/session/redis"
)

// examine asks everybody that a configuration names. What a claimproxy that serves holds
// open, such as the database of sessions, is left alone.
func examine(ctx context.Context, c *compiled, token string) ([]doctor.Finding, error) {
	log := slog.New(slog.DiscardHandler) // the findings say it
	patient := doctor.Patient{Config: c.config, Needs: c.claims(), Token: token}
	for i := range c.config.Providers {
		conf, _, err := providerConfig(c.config, &c.config.Providers[i])
		if err != nil {
			return nil, err
		}
		p := provider.New(conf)
		defer p.Close()
		patient.Providers = append(patient.Providers, p)
	}
	patient.Tokens = bearer.New(bearer.Config{Providers: patient.Providers, Needs: patient.Needs, Resource: origins(c.config), Log: log})
	defer patient.Tokens.Close()
	if c.config.Session.Store == config.StoreRedis {
		o, err := redisOptions(c.config.Session.Redis, log)
		if err != nil {
			return nil, fmt.Errorf("session.redis: %w", err)
		}
		backend, err := redis.New(o)
		if err != nil {
			return nil, fmt.Errorf("session.redis: %w", err)
		}
		defer backend.Close()
		patient.Backend = backend
	}
	if c.config.TLS != nil && c.config.TLS.ACME != nil {
		a, err := authority(c.config.TLS.ACME, log)
		if err != nil {
			return nil, fmt.Errorf("tls.acme: %w", err)
		}
		patient.Authority = a.Terms
	}
	return doctor.Examine(ctx, patient), nil
}

// readToken reads a token from a file, or from standard input for -: in the arguments of
// a program everybody on the machine could see it.
func readToken(from string, stdin io.Reader) (string, error) {
	const most = 1 << 20
	switch from {
	case "":
		return "", nil
	case "-":
	default:
		f, err := os.Open(from)
		if err != nil {
			return "", fmt.Errorf("--token: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	data, err := io.ReadAll(io.LimitReader(stdin, most))
	if err != nil {
		return "", fmt.Errorf("--token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("--token: there is none in %s", from)
	}
	return text, nil
}
