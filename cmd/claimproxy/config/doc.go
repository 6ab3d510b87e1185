// Package config owns the configuration file and those that it includes: it reads
// them, decodes them strictly, fills in the defaults and validates the whole, and it
// knows the sentence for everything that can be wrong with it.
//
// The structs here are the manual. The comment of a field says what the key
// means, what leaving it out means, and its limits; config.example.yaml at the
// top of the repository is the same thing as a tour. A key is added by adding a
// field with a yaml tag and a comment, a default in defaults.go and, where the
// type alone does not say what is legal, a check in one of the validate files.
// The JSON Schema follows by itself (see Schema): editors show the field's comment,
// with keys in the place of the names of fields.
//
// The tag holds the key's name and these words:
//
//	required  the mapping is faulty without the key
//	many      one value or a list of them; always a slice in Go
//	keyed     a mapping in the file, in Go a slice in the file's order whose
//	          elements have a Name with the tag ",key"
//	path      a file name, relative to the directory of the file that names it
//	text      the string may have several lines
//
// # What the package promises
//
//   - All faults are reported at once, each with file, line, column, path, what
//     was expected and what was met, over all files. There are two exceptions. In a
//     file that is not YAML the first fault hides the others. And while a file cannot
//     be read, nothing is said about names that may be defined there.
//   - A file with a fault gives no Config at all. A secret that cannot be read is
//     a fault, never an empty secret.
//   - A Secret cannot be printed, and the source lines that faults show have
//     their secrets masked.
//   - Loading changes nothing and calls nobody: it reads the file and the files
//     that it names, and looks at the environment, all through Env.
//
// # Several files
//
// The key include names files that add policies, upstreams, routes, people and tests;
// everything else belongs to the main file. There is one Config of all of them, in
// which the main file's routes come first and those of the included files follow in
// their order: the file that includes decides before those that it includes. Each
// value keeps its place, a file with a line, and faults are shown with the line of the
// file that they are in. Where routes of two files match the same requests, a warning
// names both places.
//
// # YAML
//
// This is the only package that imports gopkg.in/yaml.v3, and it uses no more of
// it than its tree of nodes. The library's own decoding into structs lets through
// what must not pass: unknown keys under a type with its own decoder, a second
// document, "yes" for true and 010 for 8. Aliases to anchors are followed, within
// bounds; merge keys (<<), tags and multi-line keys are refused.
//
// The claims of people and tests are read as the JSON that a provider would send: what
// only YAML can say there, a date or a number in another notation, is refused.
//
// Building things from the configuration is left to package main.
package config
