package config

import (
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// LoadPeople reads a file of people alone: a mapping from names to claims, in YAML or
// in JSON, which is YAML too. The report has all faults; people come back without
// any.
func LoadPeople(name string, env Env) ([]Person, *Report) {
	env = env.withDefaults()
	data, err := env.ReadFile(name)
	if err != nil {
		r := &Report{}
		r.Add(policy.Position{File: name}, "", fmt.Sprintf("the file of people cannot be read: %v", err))
		return nil, r
	}
	l := newLoader(name, env)
	var people []Person
	if root := l.tree(name, data, "names and their claims"); root != nil {
		if root.Kind == yaml.MappingNode {
			l.keyedList(root, reflect.ValueOf(&people).Elem(), "")
		} else {
			l.mismatch(root, "", "a mapping from names to claims")
		}
	}
	r := l.report()
	if !r.OK() {
		return nil, r
	}
	return people, r
}
