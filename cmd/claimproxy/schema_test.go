package main

import (
	"encoding/json"
	"testing"
)

func TestSchemaIsPrinted(t *testing.T) {
	code, stdout, stderr := command(t, "schema")
	if code != exitFine || stderr != "" {
		t.Fatalf("got exit code %d and %q", code, stderr)
	}
	var got struct {
		Schema     string                     `json:"$schema"`
		Required   []string                   `json:"required"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "http://json-schema.org/draft-07/schema#" || len(got.Required) == 0 || got.Properties["routes"] == nil {
		t.Errorf("this is no schema of the configuration file:\n%.300s", stdout)
	}
	if code, _, _ := command(t, "schema", "--output", "x"); code != exitUsage {
		t.Errorf("a flag that there is not: got exit code %d, want %d", code, exitUsage)
	}
}
