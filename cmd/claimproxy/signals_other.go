//go:build !unix

package main

import "os"

// reopenSignals and reloadSignals are none: there is no signal to spare.
var reopenSignals, reloadSignals []os.Signal
