package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
	"github.com/claimproxy/claimproxy/policy"
)

// list prints who may do what at a place: the access review that auditors ask for.
func (f *explainFlags) list(c *compiled, stage *rehearsal.Stage, methods []string, place rehearsal.Request, stdout, stderr io.Writer) error {
	if f.claims != "" || f.as != "" || f.auth != "" {
		return wrongUse(errors.New("--who goes through people, so --claims, --as and --auth say nothing"))
	}
	people := c.config.People
	if f.people != "" {
		var report *config.Report
		if people, report = config.LoadPeople(f.people, config.Env{}); report.OK() {
			for _, p := range people {
				if err := knownProvider(c.config, p.Claims); err != nil {
					report.Add(policy.Position{File: f.people}, p.Name+".provider", err.Error())
				}
			}
		}
		if !report.OK() {
			if err := report.Write(stderr); err != nil {
				return err
			}
			return exit{exitConfig}
		}
	}
	if len(people) == 0 {
		return wrongUse(fmt.Errorf("%s has no people: give a file of them with --people", c.config.File))
	}
	place.Method = "GET"
	if stage.Ask(place, rehearsal.Person{}).Own {
		return wrongUse(fmt.Errorf("%s is %s", printable(stage.URL(place)), ownPage))
	}
	if len(methods) == 0 {
		methods = stage.Methods(place)
	}
	list, address := stage.Who(place, methods, people), stage.URL(place)
	switch {
	case f.json:
		return writeWhoJSON(stdout, address, list)
	case f.csv:
		return writeWhoCSV(stdout, address, list)
	}
	return writeWho(stdout, methods, list)
}

// nobody stands in the list for somebody who is not known.
const nobody = "(nobody known)"

// writeWho prints a table: a column for each method, and a line for each person, or
// for each way to come where that makes a difference.
func writeWho(w io.Writer, methods []string, list []rehearsal.Access) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "PERSON\tWITH")
	for _, m := range methods {
		fmt.Fprint(t, "\t", printable(m))
	}
	fmt.Fprintln(t)
	for n := len(methods); len(list) >= n; {
		line := list[:n]
		name, with := line[0].Person, string(line[0].Auth)
		for list = list[n:]; len(list) >= n && list[0].Person == name && sameDecisions(line, list[:n]); list = list[n:] {
			with += ", " + string(list[0].Auth)
		}
		if name = printable(name); name == "" {
			name, with = nobody, "-"
		}
		fmt.Fprint(t, name, "\t", with)
		for _, a := range line {
			fmt.Fprint(t, "\t", a.Decision)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func sameDecisions(a, b []rehearsal.Access) bool {
	return slices.EqualFunc(a, b, func(a, b rehearsal.Access) bool { return a.Decision == b.Decision })
}

func writeWhoCSV(w io.Writer, address string, list []rehearsal.Access) error {
	c := csv.NewWriter(w)
	c.Write([]string{"person", "auth", "method", "url", "decision", "reason", "policy"})
	for _, a := range list {
		line := []string{a.Person, string(a.Auth), a.Method, address, string(a.Decision), a.Reason, a.Policy}
		for i := range line {
			line[i] = cell(line[i])
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// cell is a text for a spreadsheet, which would take some texts for formulas and run
// them: people choose their names themselves.
func cell(text string) string {
	if text = printable(text); text != "" && strings.Contains("=+-@", text[:1]) {
		return "'" + text
	}
	return text
}

// access is a line of the JSON form. Its names are for programs and stay.
type access struct {
	Person   string `json:"person"`
	Auth     string `json:"auth"`
	Method   string `json:"method"`
	URL      string `json:"url"`
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Policy   string `json:"policy"`
}

func writeWhoJSON(w io.Writer, address string, list []rehearsal.Access) error {
	lines := make([]access, len(list))
	for i, a := range list {
		lines[i] = access{a.Person, string(a.Auth), a.Method, address, string(a.Decision), a.Reason, a.Policy}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(lines)
}
