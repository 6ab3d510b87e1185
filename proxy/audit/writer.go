package audit

// write is the one goroutine that writes. It takes everything that waits at once, so
// that a file that was slow for a moment is caught up with in few writes.
func (l *Log) write() {
	defer close(l.done)
	var batch []byte
	for {
		l.mu.Lock()
		// The buffer that was written becomes the queue.
		batch, l.queue = l.queue, batch[:0]
		l.writing, l.lines = l.lines, 0
		lines, next, closed := l.writing, l.next, l.closed
		l.next = nil
		l.mu.Unlock()

		if next != nil {
			if err := l.out.close(); err != nil {
				l.losses.log.Error("closing the audit file", "error", err)
			}
			l.out = *next
		}
		switch {
		case lines > 0:
			l.followName()
			l.wrote(l.out.write(batch))
		case closed:
			l.out.closed = l.out.close()
			return
		case next == nil:
			<-l.wake
		}
	}
}

// wrote counts what a write has left out, unless Close has given it up already.
func (l *Log) wrote(whole int, err error) {
	l.mu.Lock()
	lost := l.writing - whole
	l.writing = 0
	l.mu.Unlock()
	if lost > 0 {
		l.lose(lost, err)
	} else {
		l.failing.Store(nil)
	}
}

// followName opens the file under its name when another one, or none, has that name now:
// it was renamed to keep it from growing, and nobody told.
func (l *Log) followName() {
	if !l.out.renamed(l.file) {
		return
	}
	out, err := openFile(l.file)
	if err != nil {
		if !l.out.told {
			l.losses.log.Error("the audit file is gone from its name and cannot be opened there; the one that was open stays in use", "error", err)
			l.out.told = true
		}
		return
	}
	if err := l.out.close(); err != nil {
		l.losses.log.Error("closing the audit file", "error", err)
	}
	l.out = *out
	l.losses.log.Info("the audit file was opened again: it had been renamed")
}
