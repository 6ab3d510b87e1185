//go:build !unix

package main

import "os"

// reopenSignals are none: there is no signal to spare.
var reopenSignals []os.Signal
