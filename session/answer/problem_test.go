package answer

import (
	"encoding/json"
	"testing"
)

// FuzzProblemText: a text in a problem is written as encoding/json writes it, whatever is
// in it.
func FuzzProblemText(f *testing.F) {
	for _, text := range []string{"", "Sign in.", `a "quote" \ and a backslash`, "<script>&</script>", "tab\tline\nbell\a\x7f", "Grüße, 🚀", "\xff\xfe half a \xe2\x80", "\u2028\u2029"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendText([]byte("x"), text); string(got) != "x"+string(want) {
			t.Errorf("got %s, want x%s", got, want)
		}
	})
}
