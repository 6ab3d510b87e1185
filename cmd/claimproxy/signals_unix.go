//go:build unix

package main

import (
	"os"
	"syscall"
)

// reopenSignals ask for the audit file to be opened again.
var reopenSignals = []os.Signal{syscall.SIGUSR1}

// reloadSignals ask for the configuration to be loaded again.
var reloadSignals = []os.Signal{syscall.SIGHUP}
