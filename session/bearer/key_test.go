package bearer

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// TestKeysAreHashesOfProviderAndToken: Oathkeeper's CVE-2026-33496, a token that is
// good at one provider used where another is required.
func TestKeysAreHashesOfProviderAndToken(t *testing.T) {
	seen := map[key]string{}
	if keyOf(asAccessToken, "dev", "t") == keyOf(asIDToken, "dev", "t") {
		t.Error("an ID token beside an access token passes for one")
	}
	for _, id := range []string{"", "a", "ab", "abc", "other"} {
		for _, token := range []string{
			"", "b", "bc", "c", "token", "token0", strings.Repeat("t", 505), strings.Repeat("t", 506), strings.Repeat("t", 507), strings.Repeat("t", 508),
			strings.Repeat("t", 511), strings.Repeat("t", 512), strings.Repeat("t", 513), strings.Repeat("t", 2042), strings.Repeat("t", 2043), strings.Repeat("t", 2044), strings.Repeat("t", 2045), strings.Repeat("t", 2046), strings.Repeat("t", 2047), strings.Repeat("t", 4095),
			strings.Repeat("t", 4096), strings.Repeat("t", 4097), strings.Repeat("t", 50000),
		} {
			what := id + " and " + token
			if got, want := keyOf(asAccessToken, id, token), key(sha256.Sum256([]byte("\x00"+id+"\x00"+token))); got != want {
				t.Errorf("%.20q, %d bytes: got %x, want %x", id, len(token), got, want)
			}
			if other, there := seen[keyOf(asAccessToken, id, token)]; there {
				t.Errorf("%.40q and %.40q have one key", what, other)
			}
			seen[keyOf(asAccessToken, id, token)] = what
		}
	}
}

// TestKeyNeedsMemoryOfOneSize: a JWT with a thousand groups costs no more than one
// with ten.
func TestKeyNeedsMemoryOfOneSize(t *testing.T) {
	for _, n := range []int{64, 500} {
		token := strings.Repeat("t", n)
		if allocs := testing.AllocsPerRun(100, func() { keyOf(asAccessToken, "dev", token) }); allocs != 0 {
			t.Errorf("%d bytes: %v allocations, want none", n, allocs)
		}
	}
	few := testing.AllocsPerRun(100, func() { keyOf(asAccessToken, "dev", strings.Repeat("t", 2600)[:2600]) })
	long := strings.Repeat("t", 60000)
	if many := testing.AllocsPerRun(100, func() { keyOf(asAccessToken, "dev", long) }); many > few {
		t.Errorf("%v allocations for a long token, %v for a short one", many, few)
	}
}
