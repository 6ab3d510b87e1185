//go:build !windows && !plan9

package main

import (
	"bytes"
	"io"
	"log/syslog"
)

// syslogLines sends each line to syslog as a message.
type syslogLines struct{ to *syslog.Writer }

// openSyslog opens the syslog of this machine, or one at an address. A syslog that is
// restarted is found again by the next message.
func openSyslog(network, address string) (io.Writer, error) {
	to, err := syslog.Dial(network, address, syslog.LOG_AUTHPRIV|syslog.LOG_INFO, "claimproxy")
	if err != nil {
		return nil, err
	}
	return syslogLines{to}, nil
}

// Write takes whole lines.
func (s syslogLines) Write(p []byte) (written int, err error) {
	for line := range bytes.Lines(p) {
		if text := bytes.TrimSuffix(line, []byte{'\n'}); len(text) > 0 {
			if _, err := s.to.Write(text); err != nil {
				return written, err
			}
		}
		written += len(line)
	}
	return written, nil
}
