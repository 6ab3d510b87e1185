package config

import (
	_ "embed"
	"slices"
)

// The schema is made from the structs of this package and their comments by the tests,
// which also fail when it is not what the structs say:
//
//	go test ./cmd/claimproxy/config -run Schema -update
//
//go:embed claimproxy.schema.json
var schema []byte

// Schema is a JSON Schema (draft-07, which every editor knows) of the configuration
// file. An editor that has it completes keys, shows what they mean and underlines what
// is wrong with the shape of the file. It never refuses what Load accepts; what it lets
// through may still be wrong, since a schema knows no other files, names or networks.
//
// Under "#/definitions/included" it has the schema of the files that another one
// includes.
func Schema() []byte { return slices.Clone(schema) }
