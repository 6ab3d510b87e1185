// Package config owns the configuration file: it reads it, decodes it strictly,
// fills in the defaults and validates the whole, and it knows the sentence for
// everything that can be wrong with it.
//
// The structs here are the manual. The comment of a field says what the key
// means, what leaving it out means, and its limits; config.example.yaml at the
// top of the repository is the same thing as a tour. A key is added by adding a
// field with a yaml tag and a comment, a default in defaults.go and, where the
// type alone does not say what is legal, a check in one of the validate files.
//
// The tag holds the key's name and these words:
//
//	required  the mapping is faulty without the key
//	many      one value or a list of them; always a slice in Go
//	keyed     a mapping in the file, in Go a slice in the file's order whose
//	          elements have a Name with the tag ",key"
//	path      a file name, relative to the directory of the configuration file
//	text      the string may have several lines
//
// # What the package promises
//
//   - All faults are reported at once, each with file, line, column, path, what
//     was expected and what was met. The only exception is a file that is not
//     YAML: there the first fault hides the others.
//   - A file with a fault gives no Config at all. A secret that cannot be read is
//     a fault, never an empty secret.
//   - A Secret cannot be printed, and the source lines that faults show have
//     their secrets masked.
//   - Loading changes nothing and calls nobody: it reads the file and the files
//     that it names, and looks at the environment, all through Env.
//
// # YAML
//
// This is the only package that imports gopkg.in/yaml.v3, and it uses no more of
// it than its tree of nodes. The library's own decoding into structs lets through
// what must not pass: unknown keys under a type with its own decoder, a second
// document, "yes" for true and 010 for 8. Aliases to anchors are followed, within
// bounds; merge keys (<<), tags and multi-line keys are refused.
//
// Building things from the configuration is left to package main.
package config
