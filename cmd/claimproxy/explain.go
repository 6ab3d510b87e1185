package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
	"github.com/claimproxy/claimproxy/session"
)

// explainFlags are what the command line says beside the request.
type explainFlags struct {
	config, claims, as, auth, from, people string
	who, json, csv                         bool
}

func newExplain(stdout, stderr io.Writer) *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain [METHOD] URL",
		Short: "Say what would become of a request, and why",
		Long: `Say what would become of a request, by which route and policy, what became of each
part of the condition, and what a person would read. Nobody is asked: the caller's
claims are given with --claims or --as, and without them nobody is known. URL may
be a path alone, on public_url's host. The exit code is 0 whatever the decision.

With --who the list of people in the configuration, or in the file that --people
names, is gone through instead, and a table says who may do what there: with each
method that the route takes, unless one is given.

Secrets and certificates are not looked at, so that a policy can be reviewed on a
machine that has none.`,
		Example: `  claimproxy explain GET /admin/ --claims '{"groups": ["teams/kde-developers"]}'
  claimproxy explain GET https://telemetry.example.org/admin/ --claims @me.json
  claimproxy explain POST /admin/ --as dev --auth bearer --json
  claimproxy explain --who /admin/ --people people.yaml --csv`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && f.who, len(args) == 2:
				return nil
			case len(args) == 1 && !strings.Contains(args[0], "/"):
				return wrongUse(fmt.Errorf("what is to be asked for with %s? give a URL or a path", args[0]))
			case len(args) == 1:
				return wrongUse(fmt.Errorf("with which method? write for example: claimproxy explain GET %s", args[0]))
			}
			return wrongUse(fmt.Errorf("explain takes a method and a URL, got %d words", len(args)))
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "claimproxy.yaml", "the configuration `file`")
	flags.StringVar(&f.claims, "claims", "", "the caller's claims: a `JSON` object, or @FILE with one")
	flags.StringVar(&f.as, "as", "", "the caller is this `person` of the configuration's people")
	flags.StringVar(&f.auth, "auth", "", "how the caller comes: browser, bearer or client (default: what the route takes)")
	flags.StringVar(&f.from, "from", "", "the caller's `address`, for public_from and expressions")
	flags.BoolVar(&f.who, "who", false, "say which people may")
	flags.StringVar(&f.people, "people", "", "with --who: take the people from this `file` (YAML or JSON: names and their claims)")
	flags.BoolVar(&f.json, "json", false, "print the result for programs")
	flags.BoolVar(&f.csv, "csv", false, "with --who: print comma-separated values")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return f.run(args, stdout, stderr) }
	return cmd
}

// wrongUse is a command line of explain that cannot be meant.
func wrongUse(err error) error { return usageError{err, "claimproxy explain"} }

// run explains one request, or lists who may.
func (f *explainFlags) run(args []string, stdout, stderr io.Writer) error {
	c, report := load(f.config, config.Env{WithoutSecrets: true})
	if c == nil {
		if err := report.Write(stderr); err != nil {
			return err
		}
		return exit{exitConfig}
	}
	stage, err := c.stage()
	if err != nil {
		return err
	}
	req, err := requestTo(c.config, args[len(args)-1])
	if err != nil {
		return wrongUse(err)
	}
	if f.from != "" {
		if req.From, err = netip.ParseAddr(f.from); err != nil {
			return wrongUse(fmt.Errorf("--from: expected an address, got %q", f.from))
		}
	}
	if f.who {
		return f.list(c, stage, args[:len(args)-1], req, stdout, stderr)
	}
	if f.csv || f.people != "" {
		return wrongUse(errors.New("--csv and --people go with --who"))
	}
	who, err := f.person(c.config)
	if err != nil {
		return err
	}
	req.Method = args[0]
	finding := f.ask(stage, req, who)
	if f.json {
		return writeExplanationJSON(stdout, finding)
	}
	return writeExplanation(stdout, req.Method+" "+stage.URL(req), finding)
}

// ask asks with the kind of credentials that --auth says, else with the first that
// the route takes.
func (f *explainFlags) ask(stage *rehearsal.Stage, req rehearsal.Request, who rehearsal.Person) rehearsal.Finding {
	if who.Claims != nil && who.Auth == "" {
		who.Auth = stage.Kinds(req)[0]
	}
	return stage.Ask(req, who)
}

// requestTo reads the URL of the command line; a path is on public_url's host. Nothing
// is mended in it: what the proxy would refuse is to be seen refused.
func requestTo(cfg *config.Config, text string) (rehearsal.Request, error) {
	text, _, _ = strings.Cut(text, "#") // which never leaves the browser
	if strings.HasPrefix(text, "/") {
		return rehearsal.Request{Host: cfg.PublicURL.Host, Target: text}, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, target := rest[:end], rest[end:]
	if !ok || !isHTTP(scheme) || host == "" || strings.Contains(host, "@") {
		return rehearsal.Request{}, fmt.Errorf("expected a URL or a path that begins with /, got %q", text)
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target // as every client sends it (RFC 9112 section 3.2.1)
	}
	return rehearsal.Request{Host: host, Target: target}, nil
}

func isHTTP(scheme string) bool {
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")
}

// person is the caller that the flags describe; nobody without them.
func (f *explainFlags) person(cfg *config.Config) (rehearsal.Person, error) {
	who := rehearsal.Person{Auth: session.Auth(f.auth)}
	switch {
	case f.claims != "" && f.as != "":
		return who, wrongUse(errors.New("--claims and --as cannot both say who it is"))
	case f.auth != "" && !slices.Contains([]session.Auth{session.AuthBrowser, session.AuthBearer, session.AuthClient}, who.Auth):
		return who, wrongUse(fmt.Errorf("--auth: expected browser, bearer or client, got %q", f.auth))
	case f.claims == "" && f.as == "" && f.auth != "":
		return who, wrongUse(errors.New("--auth says how somebody comes: --claims or --as says who"))
	case f.as != "":
		i := slices.IndexFunc(cfg.People, func(p config.Person) bool { return p.Name == f.as })
		if i < 0 {
			return who, wrongUse(fmt.Errorf("--as: there is no %q among people in %s", f.as, cfg.File))
		}
		who = rehearsal.Known(cfg.People[i].Claims, who.Auth)
	case f.claims != "":
		data, source := []byte(f.claims), "--claims"
		if name, ok := strings.CutPrefix(f.claims, "@"); ok {
			var err error
			if data, err = os.ReadFile(name); err != nil {
				return who, fmt.Errorf("--claims: %w", err)
			}
			source = name
		}
		claims, err := session.ParseClaims(data)
		if err != nil {
			return who, wrongUse(fmt.Errorf("%s: %s", source, strings.TrimPrefix(err.Error(), "claims: ")))
		}
		who.Claims = claims
	}
	if err := knownProvider(cfg, who.Claims); err != nil {
		return who, wrongUse(fmt.Errorf("--claims: %w", err))
	}
	return who, nil
}

// knownProvider refuses claims of a provider that is not configured: nobody could come
// with them, and taking them for another provider's would say that somebody may.
func knownProvider(cfg *config.Config, claims session.Claims) error {
	named, there := claims["provider"]
	if !there || named == nil {
		return nil
	}
	ids := make([]string, len(cfg.Providers))
	for i := range cfg.Providers {
		ids[i] = cfg.Providers[i].ID
	}
	if id, ok := named.(string); !ok || !slices.Contains(ids, id) {
		return fmt.Errorf("the claim provider is %q, and there is no such provider; there are %s", fmt.Sprint(named), strings.Join(ids, ", "))
	}
	return nil
}

// explanation is the JSON form. Its names are for programs and stay.
type explanation struct {
	// Decision is empty for one of claimproxy's own pages, which none is made about.
	Decision string   `json:"decision"`
	Reason   string   `json:"reason"`
	Route    string   `json:"route"`
	Policy   string   `json:"policy"`
	Needs    []string `json:"needs"`
	OwnPage  bool     `json:"own_page,omitempty"`
	Tree     *part    `json:"tree,omitempty"`
	Shadow   *shadow  `json:"shadow,omitempty"`
}

type shadow struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Policy   string `json:"policy"`
	Tree     *part  `json:"tree,omitempty"`
}

func writeExplanationJSON(w io.Writer, f rehearsal.Finding) error {
	e := explanation{
		Decision: string(f.Decision()), Reason: string(f.Verdict.Reason), Policy: f.Verdict.Decision.Policy,
		Needs: f.Needs(), Tree: partOf(f.Trace),
	}
	if f.Route != nil {
		e.Route = f.Route.Name
	}
	if e.Needs == nil {
		e.Needs = []string{}
	}
	if f.Own {
		e.Decision, e.OwnPage = "", true
	}
	if s := f.Verdict.Decision.Shadow; s != nil {
		e.Shadow = &shadow{Decision: s.Outcome.String(), Reason: string(s.Reason), Policy: s.Policy, Tree: partOf(f.Shadow)}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}
