package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// sessionsFlags say whose sessions are meant, and whom to ask.
type sessionsFlags struct {
	provider, sub, id, admin string
	json                     bool
}

func newSessions(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List a person's sessions, or end them",
		Long: `List the sessions of a person, or end them. A claimproxy that serves is asked, on its
admin listener: whoever reaches that may do this. What has ended is dead at once, also
where its cookie was copied to.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usageError{fmt.Errorf("unknown command %q: there are list and end", args[0]), cmd.CommandPath()}
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return exit{exitUsage}
		},
	}
	cmd.AddCommand(newSessionsList(stdout), newSessionsEnd(stdout))
	return cmd
}

func newSessionsList(stdout io.Writer) *cobra.Command {
	f := &sessionsFlags{}
	cmd := &cobra.Command{
		Use: "list --sub SUB", Short: "List a person's sessions",
		Example: "  claimproxy sessions list --provider invent --sub 4711",
		Args:    noArguments,
	}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var list sessionList
		if err := f.ask(cmd, http.MethodGet, "/sessions", &list); err != nil {
			return err
		}
		if f.json {
			return writeIndented(stdout, list)
		}
		return writeSessions(stdout, list.Sessions)
	}
	return cmd
}

func newSessionsEnd(stdout io.Writer) *cobra.Command {
	f := &sessionsFlags{}
	cmd := &cobra.Command{
		Use: "end --sub SUB", Short: "End all sessions of a person, or one",
		Example: "  claimproxy sessions end --provider invent --sub 4711",
		Args:    noArguments,
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.id, "id", "", "end this session alone, by its `id` in the list")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("id") && f.id == "" {
			return usageError{errors.New("--id is empty"), cmd.CommandPath()} // and not all
		}
		var ended sessionsEnded
		if err := f.ask(cmd, http.MethodPost, "/sessions/end", &ended); err != nil {
			return err
		}
		if f.json {
			return writeIndented(stdout, ended)
		}
		_, err := fmt.Fprintf(stdout, "%s ended.\n", count(ended.Ended, "session has", "sessions have"))
		return err
	}
	return cmd
}

func (f *sessionsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.sub, "sub", "", "the person's `subject` at the provider, as the logs have it")
	flags.StringVar(&f.provider, "provider", "", "the provider's `id`; may be left out where there is one")
	flags.StringVar(&f.admin, "admin", "http://127.0.0.1:8081", "the `URL` of the admin listener")
	flags.BoolVar(&f.json, "json", false, "print the result for programs")
}

// sessionsTimeout bounds one question.
const sessionsTimeout = 30 * time.Second

// ask puts a question to the admin listener and reads the answer into v.
func (f *sessionsFlags) ask(cmd *cobra.Command, method, path string, v any) error {
	if f.sub == "" {
		return usageError{errors.New("whose sessions? name the person with --sub"), cmd.CommandPath()}
	}
	base, err := url.Parse(f.admin)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return usageError{fmt.Errorf("--admin: expected a URL such as http://127.0.0.1:8081, got %q", f.admin), cmd.CommandPath()}
	}
	values := url.Values{"sub": {f.sub}}
	for name, value := range map[string]string{"provider": f.provider, "id": f.id} {
		if value != "" {
			values.Set(name, value)
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), sessionsTimeout)
	defer cancel()
	target := base.JoinPath(path)
	var body io.Reader
	if method == http.MethodGet {
		target.RawQuery = values.Encode()
	} else {
		body = strings.NewReader(values.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// What is asked is for this address: a redirect is no answer.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the admin listener (admin: in the configuration, --admin here): %w", err)
	}
	defer res.Body.Close()
	return readAnswer(res, v)
}

// readAnswer reads an answer of the desk.
func readAnswer(res *http.Response, v any) error {
	const most = 16 << 20
	data, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return fmt.Errorf("reading the admin listener's answer: %w", err)
	}
	if res.StatusCode == http.StatusOK && json.Unmarshal(data, v) == nil {
		return nil
	}
	var refused struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(data, &refused) == nil && refused.Error != "" {
		return fmt.Errorf("the admin listener answered: %s", printable(refused.Error))
	}
	return fmt.Errorf("expected the answer of claimproxy's admin listener, got status %d from %s", res.StatusCode, res.Request.URL.Host)
}

func writeIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// writeSessions prints a table for people.
func writeSessions(w io.Writer, list []openSession) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are no sessions of this person.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSINCE\tLAST USED\tBROWSER\tADDRESS")
	moment := func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", printable(s.ID), moment(s.Since), moment(s.LastSeen), orDash(s.Browser), orDash(s.Address))
	}
	return t.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}
