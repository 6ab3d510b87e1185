package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// decided is a line of the audit log.
type decided struct {
	Time       time.Time `json:"time"`
	RequestID  string    `json:"request_id"`
	Route      string    `json:"route"`
	Host       string    `json:"host"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	ClientIP   string    `json:"client_ip"`
	Decision   string    `json:"decision"`
	Reason     string    `json:"reason"`
	Policy     string    `json:"policy"`
	Auth       string    `json:"auth"`
	Provider   string    `json:"provider"`
	Subject    string    `json:"sub"`
	Status     int       `json:"status"`
	Upstream   string    `json:"upstream"`
	DurationMS float64   `json:"duration_ms"`
	Shadow     string    `json:"shadow"`
	ShadowBy   string    `json:"shadow_policy"`

	line []byte // as it was written
}

// findDecision looks for a request in the audit file and in those that were rotated away
// beside it.
func findDecision(file, id string) (*decided, error) {
	files, err := rotated(file)
	if err != nil {
		return nil, err
	}
	needle, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		found, err := findIn(name, append([]byte(`"request_id":`), needle...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("no request %s in %s: it may be of another claimproxy, have been for one of claimproxy's own pages, or be rotated away", printable(id), strings.Join(files, ", "))
}

// rotated are an audit file and what logrotate and its like make of it.
func rotated(file string) ([]string, error) {
	var files []string
	if _, err := os.Stat(file); err == nil {
		files = append(files, file)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	var older []string
	base := filepath.Base(file)
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), base); ok && rest != "" && strings.ContainsRune(".-", rune(rest[0])) && e.Type().IsRegular() {
			older = append(older, filepath.Join(filepath.Dir(file), e.Name()))
		}
	}
	slices.SortFunc(older, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	if files = append(files, older...); len(files) == 0 {
		return nil, fmt.Errorf("there is no file %s", printable(file))
	}
	return files, nil
}

// findIn looks for a line in one file. A line that is no JSON is one that was written in
// part.
func findIn(name string, needle []byte) (*decided, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		defer unzipped.Close()
		r = unzipped
	}
	for lines := bufio.NewReaderSize(r, 64<<10); ; {
		line, err := lines.ReadBytes('\n')
		if bytes.Contains(line, needle) {
			d := &decided{line: line}
			if json.Unmarshal(line, d) == nil {
				return d, nil
			}
		}
		switch {
		case err == io.EOF:
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
}

// write tells a person. c, if there is one, has the conditions behind the names as they
// are today.
func (d *decided) write(w io.Writer, c *config.Config) error {
	outcome := map[string]string{"allow": "was let in", "deny": "was refused", "sign-in": "was asked to sign in"}[d.Decision]
	fmt.Fprintf(w, "%s %s%s %s.\n\n", printable(d.Method), printable(d.Host), printable(d.Path), cmp.Or(outcome, printable(d.Decision)))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("why", "%s", because(d.Reason))
	if d.Policy != "" {
		row("policy", "%s", printable(d.Policy)+d.condition(c))
	}
	row("who", "%s", d.who())
	row("route", "%s", orDash(d.Route))
	row("when", "%s", d.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	row("answer", "%d after %.1f ms%s", d.Status, d.DurationMS, from(d.Upstream))
	if d.Shadow != "" {
		row("shadow", "%s would say %s", printable(d.ShadowBy), printable(d.Shadow))
	}
	return t.Flush()
}

// because is a reason word and what it means.
func because(reason string) string {
	if means := proxy.Reason(reason).Meaning(); means != "" {
		return reason + ": " + means
	}
	return printable(reason)
}

func from(upstream string) string {
	if upstream == "" {
		return ", by claimproxy itself"
	}
	return " from upstream " + printable(upstream)
}

func (d *decided) who() string {
	at := orDash(d.ClientIP)
	switch {
	case d.Auth == "":
		return "nobody who is known, at " + at
	case d.Subject == "":
		return fmt.Sprintf("a program of %s without a person, at %s", orDash(d.Provider), at)
	}
	return fmt.Sprintf("subject %s at provider %s, by %s, at %s", printable(d.Subject), orDash(d.Provider), map[string]string{"browser": "session cookie", "bearer": "token"}[d.Auth], at)
}

// condition is what stands behind a policy's name in today's configuration.
func (d *decided) condition(c *config.Config) string {
	if c == nil {
		return ""
	}
	for i := range c.Policies {
		if p := &c.Policies[i]; p.Name == d.Policy && p.Require.Text != "" {
			return ", which today is: " + p.Require.Text
		}
	}
	return ""
}
