package signin

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/cli/browser"
)

// Agent signs in for a person and keeps what it gets. Several, in several processes, may
// use the same directory.
type Agent struct {
	// Dir is where logins are noted, 0700.
	Dir string
	// Keyring keeps the tokens; nil or failing: they are in Dir, 0600.
	Keyring Keyring
	// Say gets what a person is to read. Nothing secret goes there.
	Say io.Writer
	// Open opens the person's browser.
	Open func(url string) error
	// Confirm puts a question to the person. It is false where nobody can be asked.
	Confirm func(question string) bool
	// HTTP replaces the network in tests; nil means a client of the agent's own. It must
	// not follow redirects.
	HTTP *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New makes the agent of whoever runs this program. Nothing is touched until it is used.
func New(say io.Writer) (*Agent, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard // what it prints is nothing of ours
	return &Agent{
		Dir: filepath.Join(dir, "claimproxy"), Keyring: SystemKeyring{}, Say: say, Open: browser.OpenURL,
		Confirm: func(string) bool { return false }, HTTP: newHTTPClient(nil),
	}, nil
}

func (a *Agent) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

func (a *Agent) http() *http.Client {
	if a.HTTP == nil {
		a.HTTP = newHTTPClient(nil)
	}
	return a.HTTP
}
