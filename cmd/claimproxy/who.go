package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"text/tabwriter"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
)

// list prints who may do what at a place: the access review that auditors ask for.
func (f *explainFlags) list(c *compiled, stage *rehearsal.Stage, methods []string, place *url.URL, stdout, stderr io.Writer) error {
	if f.claims != "" || f.as != "" || f.auth != "" || f.from != "" {
		return wrongUse(errors.New("--who goes through people, so --claims, --as, --auth and --from say nothing"))
	}
	people := c.config.People
	if f.people != "" {
		var report *config.Report
		if people, report = config.LoadPeople(f.people, config.Env{}); !report.OK() {
			if err := report.Write(stderr); err != nil {
				return err
			}
			return exit{exitConfig}
		}
	}
	if len(people) == 0 {
		return wrongUse(fmt.Errorf("%s has no people: give a file of them with --people", c.config.File))
	}
	if len(methods) == 0 {
		methods = stage.Methods(place)
	}
	list := stage.Who(place, methods, people)
	switch {
	case f.json:
		return writeWhoJSON(stdout, place, list)
	case f.csv:
		return writeWhoCSV(stdout, place, list)
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
		fmt.Fprint(t, "\t", m)
	}
	fmt.Fprintln(t)
	for n := len(methods); len(list) >= n; {
		line := list[:n]
		name, with := line[0].Person, string(line[0].Auth)
		for list = list[n:]; len(list) >= n && list[0].Person == name && sameDecisions(line, list[:n]); list = list[n:] {
			with += ", " + string(list[0].Auth)
		}
		if name == "" {
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

func writeWhoCSV(w io.Writer, place *url.URL, list []rehearsal.Access) error {
	c := csv.NewWriter(w)
	c.Write([]string{"person", "auth", "method", "url", "decision", "reason", "policy"})
	for _, a := range list {
		c.Write([]string{a.Person, string(a.Auth), a.Method, place.Redacted(), string(a.Decision), a.Reason, a.Policy})
	}
	c.Flush()
	return c.Error()
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

func writeWhoJSON(w io.Writer, place *url.URL, list []rehearsal.Access) error {
	lines := make([]access, len(list))
	for i, a := range list {
		lines[i] = access{a.Person, string(a.Auth), a.Method, place.Redacted(), string(a.Decision), a.Reason, a.Policy}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(lines)
}
