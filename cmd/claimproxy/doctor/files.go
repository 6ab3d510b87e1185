package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// files looks at who can read the secrets, and at the state directory.
func (p *Patient) files(context.Context) []Finding {
	secrets := &notes{about: "files"}
	open := 0
	for _, name := range p.Config.SecretFiles {
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS == "windows" {
			continue // loading it has said so; there are no such bits
		}
		switch mode := info.Mode().Perm(); {
		case mode&0o004 != 0:
			open++
			secrets.add(Problem, "secrets", fmt.Sprintf("everybody on this machine can read %s (%04o)", name, mode), "chmod 0600 "+name+", and change the secret if others were here")
		case mode&0o040 != 0:
			open++
			secrets.add(Note, "secrets", fmt.Sprintf("its group can read %s (%04o)", name, mode), "")
		}
	}
	if open == 0 && len(p.Config.SecretFiles) > 0 {
		secrets.add(OK, "secrets", fmt.Sprintf("%d of them, which their owner alone can read", len(p.Config.SecretFiles)), "")
	}
	state := &notes{about: "state_dir"}
	stateDir(state, p.Config.StateDir)
	return append(secrets.list, state.list...)
}

func stateDir(n *notes, dir string) {
	shown := dir
	if full, err := filepath.Abs(dir); err == nil {
		shown = full
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.add(Note, "directory", shown+" is not there; claimproxy makes it when it starts", "")
	case err != nil:
		n.add(Problem, "directory", err.Error(), "look as the user that claimproxy runs as")
	case !info.IsDir():
		n.add(Problem, "directory", shown+" is no directory", "name another one")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		n.add(Problem, "directory", fmt.Sprintf("others can get into %s (%04o), where the key of all sessions is", shown, info.Mode().Perm()), "chmod 0700 "+shown)
	case !writable(dir):
		n.add(Problem, "directory", "this user cannot write to "+shown, "look as the user that claimproxy runs as, and make the directory that user's")
	default:
		n.add(OK, "directory", shown, "")
	}
}
