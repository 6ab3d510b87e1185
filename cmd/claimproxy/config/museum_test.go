package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is said about the files of the museums into their .txt files, and the schema")

// The museum of mistakes: every file under testdata/bad has something wrong with it,
// and the file of the same name with .txt is what people are told, to the letter.
func TestMuseumOfMistakes(t *testing.T) {
	museum(t, "testdata/bad", 100, func(t *testing.T, c *Config, r *Report) {
		if c != nil || r.OK() {
			t.Error("the file was accepted")
		}
	})
}

// The museum of doubts: every file under testdata/doubtful is good, and yet it is
// probably not what was meant.
func TestMuseumOfDoubts(t *testing.T) {
	museum(t, "testdata/doubtful", 4, func(t *testing.T, c *Config, r *Report) {
		if c == nil || len(r.Warnings) == 0 {
			t.Error("the file was refused, or not warned about")
		}
	})
}

// museum compares what is said about the files of a directory with what stands beside
// them.
func museum(t *testing.T, dir string, least int, check func(*testing.T, *Config, *Report)) {
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) < least {
		t.Fatalf("got %d files and %v, expected at least %d files", len(files), err, least)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, r := Parse("claimproxy.yaml", data, world())
			check(t, c, r)
			got := rendered(t, r)
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
