package session

import (
	"strings"
	"testing"
)

func TestHandleText(t *testing.T) {
	for range 50 {
		h := newHandle()
		text := h.text()
		if len(text) != handleText {
			t.Fatalf("got %d characters, want %d", len(text), handleText)
		}
		if got, ok := parseHandle(text); !ok || got != h {
			t.Fatal("a handle does not come back")
		}
	}
}

func TestCarriedHandlesAreBoundedAndDifferent(t *testing.T) {
	one := newHandle()
	var many []string
	for range 50 {
		many = append(many, "cp="+newHandle().text())
	}
	repeated := strings.Repeat("cp="+one.text()+"; ", 1000)
	var found [maxHandles]handle
	if n := carriedHandles([]string{strings.Join(many, "; ")}, "cp", parseHandle, &found); n != maxHandles {
		t.Errorf("50 different ones: got %d, want %d", n, maxHandles)
	}
	if n := carriedHandles(many, "cp", parseHandle, &found); n != maxHandles {
		t.Errorf("50 headers: got %d, want %d", n, maxHandles)
	}
	if n := carriedHandles([]string{repeated}, "cp", parseHandle, &found); n != 1 || found[0] != one {
		t.Errorf("the same a thousand times: got %d, want 1", n)
	}
	if n := carriedHandles([]string{repeated}, "other", parseHandle, &found); n != 0 {
		t.Errorf("another name: got %d, want 0", n)
	}
}

func TestCarriedHandlesDoNotAllocate(t *testing.T) {
	lines := []string{"a=b; cp=garbage; cp=" + newHandle().text() + "; c=d"}
	allocs := testing.AllocsPerRun(100, func() {
		var found [maxHandles]handle
		if carriedHandles(lines, "cp", parseHandle, &found) != 1 {
			t.Fatal("not found")
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want none", allocs)
	}
}

func FuzzParseHandle(f *testing.F) {
	f.Add(newHandle().text())
	f.Add("")
	f.Add(strings.Repeat("A", handleText))
	f.Add("AQ" + strings.Repeat("A", handleText-2))
	f.Add("AQ" + strings.Repeat("_", handleText-2))
	f.Add("AQ" + strings.Repeat("\n", handleText-2))
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := parseHandle(text)
		if ok && h.text() != text {
			t.Fatalf("%q is a second spelling of %q", text, h.text())
		}
		if !ok && h != (handle{}) {
			t.Fatal("a refused handle is not empty")
		}
	})
}

func FuzzCarriedHandles(f *testing.F) {
	f.Add("cp=x", "cp")
	f.Add("cp="+newHandle().text()+"; a=b", "cp")
	f.Add(";;=;cp;cp==;", "cp")
	f.Fuzz(func(t *testing.T, line, name string) {
		var found [maxHandles]handle
		n := carriedHandles([]string{line}, name, parseHandle, &found)
		for _, h := range found[:n] {
			if !strings.Contains(line, h.text()) {
				t.Fatalf("%q: a handle was found that is not in it", line)
			}
		}
	})
}
