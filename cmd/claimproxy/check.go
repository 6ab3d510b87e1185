package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/doctor"
)

func newCheck(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, without any network or with all it names",
		Long: `Check the configuration without any network and list every redirect URI to
register, and where providers lead people after a sign-out and tell of one. All faults are printed at once, each with its line, and the exit code is
78 when there is one. Warnings do not count.

With --live everybody whom the configuration names is asked as well: are the providers
there, with keys and the same time, do they accept the clients, who may ask about
tokens, do public_url and the upstreams answer, does Redis, who can read the secrets?
Each finding says what to do, and the exit code is 1 when there is a problem. With an
access token, --token FILE or --token - to read it from standard input, it is shown
which claims come from where.

With --without-secrets the files and variables of secrets, certificates and
certificate authorities need not be there, as where a change is reviewed.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the result for programs")
	without := cmd.Flags().Bool("without-secrets", false, "do not look at secrets and certificates, for a machine that has none")
	live := cmd.Flags().Bool("live", false, "also ask providers, upstreams and the session store")
	token := cmd.Flags().String("token", "", "with --live: an access token to ask about, from a `file`, or - for standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case *token != "" && !*live:
			return usageError{errors.New("--token is for --live: nobody is asked without it"), cmd.CommandPath()}
		case *live && *without:
			return usageError{errors.New("--live needs the secrets that --without-secrets leaves out"), cmd.CommandPath()}
		}
		c, report := load(*path, config.Env{WithoutSecrets: *without})
		if c != nil {
			c.warnUncovered(report)
		}
		var found []doctor.Finding
		if *live && c != nil {
			shown, err := readToken(*token, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if found, err = examine(cmd.Context(), c, shown); err != nil {
				return err
			}
		}
		if *asJSON {
			if err := writeCheckJSON(stdout, c, report, found); err != nil {
				return err
			}
		} else if err := writeCheck(stdout, stderr, *path, c, report); err != nil {
			return err
		} else if found != nil {
			if err := doctor.Write(stdout, found); err != nil {
				return err
			}
		}
		switch {
		case c == nil:
			return exit{exitConfig}
		case !doctor.Sound(found):
			return exit{exitFailed}
		}
		return nil
	}
	return cmd
}

func writeCheck(stdout, stderr io.Writer, path string, c *compiled, report *config.Report) error {
	if err := report.Write(stderr); err != nil || c == nil {
		return err
	}
	cfg := c.config
	fmt.Fprintf(stdout, "%s is good: %s, %s, %s; %s.\n", printable(path),
		count(len(cfg.Providers), "provider", "providers"), count(len(cfg.Policies), "policy", "policies"), count(len(cfg.Routes), "route", "routes"),
		testedLine(c.tested.Run))
	if len(cfg.RedirectURIs()) > 0 {
		fmt.Fprintln(stdout, "\nRedirect URIs to register:")
		for i := range cfg.Providers {
			if uri := cfg.RedirectURI(&cfg.Providers[i]); uri != "" {
				fmt.Fprintf(stdout, "  %-12s %s\n", cfg.Providers[i].ID, uri)
			}
		}
		for _, uris := range signOutURIs(cfg) {
			if len(uris.byID) == 0 {
				continue
			}
			fmt.Fprintf(stdout, "\n%s, where the provider has a field for it:\n", uris.title)
			for i := range cfg.Providers {
				if uri, ok := uris.byID[cfg.Providers[i].ID]; ok {
					fmt.Fprintf(stdout, "  %-12s %s\n", cfg.Providers[i].ID, uri)
				}
			}
		}
	}
	if notes := notesOn(cfg); len(notes) > 0 {
		fmt.Fprintln(stdout, "\nTo know:")
		for _, note := range notes {
			fmt.Fprintf(stdout, "  %s\n", note)
		}
	}
	return nil
}

// notesOn are consequences of what a configuration says that are no fault of it, and that
// nobody should have to find out later.
func notesOn(cfg *config.Config) []string {
	var notes []string
	if hosts := cfg.SignInHosts(); len(hosts) > 0 {
		notes = append(notes, "Where claimproxy is only asked, the pages below "+cfg.Endpoints+"/ have to lead here, too, for people to sign in: "+strings.Join(hosts, ", "))
	}
	if cfg.PublicURL.Scheme == "https" && cfg.TLS == nil && len(cfg.TrustedProxies) == 0 {
		notes = append(notes, "TLS ends in front of claimproxy, and trusted_proxies names nobody: all clients count as one address, that of the proxy there, and share what limits let an address do.")
	}
	for _, r := range cfg.InMaintenance() {
		notes = append(notes, routeName(r)+" is in maintenance: whoever is let in gets 503.")
	}
	if cfg.Session.Store != config.StoreCookie {
		return notes
	}
	return append(notes,
		"Sessions are in cookies alone (session.store: cookie): they are not listed, and end from nowhere but their own browser.",
		"After a sign-out a copied cookie may be good at other claimproxies, or after a restart, until it expires.",
		"People sign in again when their access token ends, without a question where the provider still knows them.",
		"A form that is sent with a session that is over is not kept.",
	)
}

// toRegister are URIs to register at the providers, by their ids.
type toRegister struct {
	title string
	byID  map[string]string
}

// signOutURIs are where people come back to after a sign-out at their provider, and
// where the provider tells of one. People sign in at none that has no client id.
func signOutURIs(cfg *config.Config) []toRegister {
	all := []toRegister{
		{"Post-logout redirect URIs", map[string]string{}},
		{"Back-channel logout URIs", map[string]string{}},
		{"Front-channel logout URIs", map[string]string{}},
	}
	remote := cfg.Session.Store != config.StoreCookie // else no session ends without its cookie
	base := cfg.PublicURL.Scheme + "://" + cfg.PublicURL.Host + cfg.Endpoints
	for i := range cfg.Providers {
		if id := cfg.Providers[i].ID; cfg.Providers[i].ClientID != "" {
			all[0].byID[id] = base + "/sign-out"
			if remote {
				all[1].byID[id] = base + "/backchannel-logout/" + id
			}
			all[2].byID[id] = base + "/frontchannel-logout/" + id
		}
	}
	return all
}

// testedLine says how many decisions the tests looked at.
func testedLine(n int) string {
	if n == 0 {
		return "no tests"
	}
	return count(n, "tested decision is", "tested decisions are") + " as expected"
}

// warnUncovered warns of policies that decide and that no test asks: nothing shows
// that they let in whom they should, and nobody else.
func (c *compiled) warnUncovered(report *config.Report) {
	deciding := c.deciding()
	for i := range c.config.Policies {
		p := &c.config.Policies[i]
		if c.tested.Covered[p.Name] || !deciding[p.Name] {
			continue
		}
		at, path := c.config.Place(&p.Name)
		if len(c.config.Tests) == 0 {
			report.Warn(at, path, "there are no tests, so nothing shows whom this policy lets in",
				"as in tests: [{request: GET /, claims: {groups: [a]}, expect: allow}]; see docs/policies.md")
			return
		}
		report.Warn(at, path, "no test covers this policy", "somebody has to ask: as: or claims: in a test")
	}
}

// printable is a text that came from outside, in quotes where a terminal would obey
// some of it.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		return strconv.Quote(text)
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// checkResult is the JSON form. Its names are for programs and stay.
type checkResult struct {
	OK           bool              `json:"ok"`
	Errors       []checkFault      `json:"errors"`
	Warnings     []checkFault      `json:"warnings"`
	RedirectURIs map[string]string `json:"redirect_uris"`
	PostLogout   map[string]string `json:"post_logout_redirect_uris"`
	BackChannel  map[string]string `json:"backchannel_logout_uris"`
	FrontChannel map[string]string `json:"frontchannel_logout_uris"`
	Notes        []string          `json:"notes,omitempty"`
	// Live is what --live found; OK is about the configuration alone.
	Live []doctor.Finding `json:"live,omitempty"`
}

type checkFault struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func writeCheckJSON(w io.Writer, c *compiled, report *config.Report, live []doctor.Finding) error {
	none := map[string]string{}
	result := checkResult{
		OK: c != nil, Errors: faultsOf(report.Errors), Warnings: faultsOf(report.Warnings),
		RedirectURIs: map[string]string{}, PostLogout: none, BackChannel: none, FrontChannel: none, Live: live,
	}
	if c != nil {
		uris := signOutURIs(c.config)
		result.PostLogout, result.BackChannel, result.FrontChannel = uris[0].byID, uris[1].byID, uris[2].byID
		result.Notes = notesOn(c.config)
		for i := range c.config.Providers {
			p := &c.config.Providers[i]
			if uri := c.config.RedirectURI(p); uri != "" {
				result.RedirectURIs[p.ID] = uri
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(result)
}

func faultsOf(faults []config.Fault) []checkFault {
	list := make([]checkFault, len(faults))
	for i, f := range faults {
		list[i] = checkFault{f.At.File, f.At.Line, f.At.Column, f.Path, f.Message, f.Hint}
	}
	return list
}
