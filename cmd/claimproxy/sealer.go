package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
)

// generatedSecret is the file of the secret that claimproxy makes for itself.
const generatedSecret = "secret"

// newSealer makes what seals sessions and sign-in attempts: with the secrets of the
// configuration or, where there are none, with the one in the state directory, which is
// made when it is missing.
//
// Where the configuration takes over from the state directory, what that has sealed
// still opens, as long as its file is there.
func newSealer(cfg *config.Config) (*session.Sealer, error) {
	var secrets [][]byte
	for i, s := range cfg.Session.Secrets {
		secret, err := session.ParseSecret(s.Reveal())
		if err != nil {
			return nil, fmt.Errorf("session.secrets[%d]: %w", i, err)
		}
		secrets = append(secrets, secret)
	}
	if cfg.Session.Store == config.StoreFile {
		_, err := os.Lstat(filepath.Join(cfg.StateDir, generatedSecret))
		if len(secrets) == 0 || !errors.Is(err, fs.ErrNotExist) {
			secret, err := session.LoadSecret(cfg.StateDir, generatedSecret)
			if err != nil {
				return nil, fmt.Errorf("state_dir: %w", err)
			}
			secrets = append(secrets, secret)
		}
	}
	return session.NewSealer(secrets)
}
