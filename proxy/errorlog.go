package proxy

import (
	"log"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

// ErrorLog returns a logger for what net/http and its kin log on their own account,
// as warnings. What a message quotes is left out: see unquoted. What any stranger can
// cause, again and again, is told once in a while.
func ErrorLog(to *slog.Logger) *log.Logger {
	return log.New(&errorLog{to: to, now: time.Now, told: make(map[string]telling)}, "", 0)
}

// ofStrangers are the messages about connections with which no request has come, by how they
// begin, and strangersEvery is how often one of a kind is told.
var ofStrangers = []string{"http: TLS handshake error", "http2: server connection error"}

const strangersEvery = time.Minute

type errorLog struct {
	to  *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	told map[string]telling // by what is in ofStrangers
}

// telling is when something was told, and how often it has happened since.
type telling struct {
	at   time.Time
	more int
}

func (e *errorLog) Write(text []byte) (int, error) {
	message := unquoted(strings.TrimSpace(string(text)))
	for _, kind := range ofStrangers {
		if !strings.HasPrefix(message, kind) {
			continue
		}
		if before, now := e.again(kind); !now {
			return len(text), nil
		} else if before > 0 {
			e.to.Warn(message, "more_since_the_last", before)
			return len(text), nil
		}
	}
	e.to.Warn(message)
	return len(text), nil
}

// again notes that something of a kind has happened, and says whether it is to be told, with
// how many were not.
func (e *errorLog) again(kind string) (untold int, tell bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, now := e.told[kind], e.now()
	if !t.at.IsZero() && now.Sub(t.at) < strangersEvery {
		t.more++
		e.told[kind] = t
		return 0, false
	}
	e.told[kind] = telling{at: now}
	return t.more, true
}

var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)

// unquoted takes out of a message what it quotes. Where net/http cannot read an
// answer, it quotes it: a cookie that an application sets, a megabyte of it, the body
// of an answer to HEAD.
func unquoted(message string) string { return quotation.ReplaceAllString(message, `"..."`) }
