package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beyondSchema are the files of the museum whose mistake no schema sees, and why.
var beyondSchema = map[string]string{
	"04-second-document":                          "a schema is about one document",
	"27-duplicate-key":                            "of two keys that are the same a schema sees one",
	"46-tls":                                      "it reads no files",
	"47-tls-that-does-not-fit":                    "it reads no files",
	"49-no-providers":                             "it does not know which conditions ask who is calling, nor which path covers another",
	"58-comment-in-a-condition":                   "it sees no comments",
	"68-browser-over-plain-http":                  "it compares no hosts",
	"145-session-memory":                          "it does not compute with sizes",
	"133-cookie-domain-of-everybody":              "it does not know who registers domains",
	"133-cookie-domain-of-a-hoster":               "it does not know the public suffixes",
	"133-cookie-domain-of-others":                 "it compares no hosts",
	"133-cookie-domain-over-plain-http":           "it does not compare what stands in different mappings",
	"133-cookie-domain-that-is-an-address":        "it does not know addresses from names",
	"133-cookie-domain-with-a-dot":                "it does not know the rules of names",
	"69-routes-that-never-match":                  "it compares no paths",
	"76-comment-in-an-expression":                 "it sees no comments",
	"79-claims-that-json-cannot-say":              "it sees the value and not the notation: 0x10 is a number, and a date a text",
	"115-session-secrets":                         "it reads no files",
	"92-admin-for-everybody":                      "it does not know which addresses are this machine's alone",
	"93-admin-on-the-public-address":              "it compares no addresses",
	"132-discovery-of-a-client-that-is-not-there": "it does not know which clients there are",
	"132-discovery-of-a-redirect-elsewhere":       "it does not know which client is meant",
	"132-discovery-on-a-host-without-routes":      "it compares no hosts",
	"132-discovery-twice-on-a-host":               "it compares no hosts",
	"132-discovery-without-a-client":              "it does not know which clients there are",
	"141-nobody-signs-in":                         "it does not compare what stands in different mappings",
	"142-headers-of-two-meanings":                 "it does not compare what stands in different mappings",
	"101-nobody-may-ask":                          "it does not compare what stands in different mappings",
	"99-comparisons-that-never-hold":              "it reads no conditions, and does not know which providers there are",
	"133-cookie-store-on-other-hosts":             "it compares no hosts",
	"134-cookie-store-with-a-long-name":           "the length depends on the store",
}

// Whatever is wrong with the shape of a file is underlined while it is being written.
func TestSchemaRefusesTheMuseum(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	left := len(beyondSchema)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		why, beyond := beyondSchema[strings.TrimSuffix(filepath.Base(file), ".yaml")]
		if beyond {
			left--
		}
		faults, isTree := schemaFaults(t, mainSchema, string(data))
		switch {
		case !isTree && beyond:
			t.Errorf("%s is no YAML of ours in the first place, so that it need not be excused", file)
		case isTree && faults == "" && !beyond:
			t.Errorf("the schema accepts %s: put what it can know into schema_limits_test.go, or say here why it cannot", file)
		case faults != "" && beyond:
			t.Errorf("the schema refuses %s, although it is said not to (%s):\n%s", file, why, faults)
		}
	}
	if left > 0 {
		t.Errorf("%d files that are excused are not there", left)
	}
}
