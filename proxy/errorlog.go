package proxy

import (
	"log"
	"log/slog"
	"regexp"
	"strings"
)

// ErrorLog returns a logger for what net/http and its kin log on their own account,
// as warnings. What a message quotes is left out: see unquoted.
func ErrorLog(to *slog.Logger) *log.Logger { return log.New(errorLog{to}, "", 0) }

type errorLog struct{ to *slog.Logger }

func (e errorLog) Write(text []byte) (int, error) {
	e.to.Warn(unquoted(strings.TrimSpace(string(text))))
	return len(text), nil
}

var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)

// unquoted takes out of a message what it quotes. Where net/http cannot read an
// answer, it quotes it: a cookie that an application sets, a megabyte of it, the body
// of an answer to HEAD.
func unquoted(message string) string { return quotation.ReplaceAllString(message, `"..."`) }
