package e2e

import (
	"syscall"
	"testing"
)

// TestTheDemoInABrowser is what somebody sees who starts it and opens what it prints.
func TestTheDemoInABrowser(t *testing.T) {
	t.Parallel()
	need(t, chromium)
	p, guide, temp := startDemo(t)
	open := printed(t, guide, `Open this[^\n]*(http://127\.0\.0\.1:\d+/)`)
	b := newWindow(t).tab()
	b.open(open)
	b.until(`document.querySelector("button[name=person][value=ada]") !== null`)
	b.wantGoodLooks("demo people")
	b.do(click(`button[name=person][value=ada]`))
	b.arrive(open)
	b.wantText("Hello, ada.", "Reports per week")
	if n := eval[int](b, `[...document.querySelectorAll("#charts svg")].filter(s => s.getBoundingClientRect().width > 100 && s.querySelector("rect, path")).length`); n < 3 {
		t.Errorf("%d charts are drawn, want three and more", n)
	}
	b.until(`document.querySelector("#state").textContent === "live, by server-sent events"`)
	b.until(`(() => { const n = document.querySelector("#running"); window.before ??= n.textContent; return n.textContent !== before; })()`)
	b.until(`!document.querySelector("#echo-input").disabled`)
	b.do(typeInto(`#echo-input`, "hello\r"))
	b.until(`document.querySelector("#echo-log").textContent.includes("hello")`)
	b.wantGoodLooks("demo")
	b.expect("a status of 401", "ERR_") // the stream of a session that ends breaks off
	b.press("Sign out")
	b.press("Sign out")
	b.until(`document.body.innerText.includes("You are signed out")`)
	endDemo(t, p, temp, syscall.SIGTERM)
}
