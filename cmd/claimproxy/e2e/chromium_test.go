package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// The browser of the other tests sends what browsers send. The tests of the files
// chromium_*_test.go have a real one: what a browser does with our cookies, redirects,
// headers and pages is not for us to say.

// startChromium starts the Chromium that all tests of a run share. Every name leads to
// this machine.
var startChromium = sync.OnceValues(func() (context.Context, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(filepath.Join(scratch, "chromium")),
		chromedp.NoInheritEnv, chromedp.Env(buildEnvironment()...),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { cmd.SysProcAttr = ownGroup() }),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	atTheEnd(end)
	return ctx, chromedp.Do(ctx)
})

// window is a window of Chromium with cookies and a cache that no other window knows.
type window struct {
	t   testing.TB
	ctx context.Context
}

// newWindow opens a window that is closed when the test ends.
func newWindow(t testing.TB) *window {
	t.Helper()
	need(t, chromium)
	root, err := startChromium()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(root, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &window{t: t, ctx: ctx}
}

// tab is a tab of a window. What the pages in it complain of, to whoever looks at the
// console, fails the test.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	// expected are parts of complaints that are none.
	expected []string
	// documents are the addresses of all pages that were asked for.
	documents []string
}

// tab opens a tab. Certificates that nobody vouches for are good in it.
func (w *window) tab() *tab {
	w.t.Helper()
	b := &tab{t: w.t}
	ctx, cancel := chromedp.NewContext(w.ctx, chromedp.WithListener(b.listen))
	b.ctx = ctx
	w.t.Cleanup(func() {
		if w.t.Failed() {
			b.describe()
		}
		cancel()
		b.wantNoComplaints()
	})
	if err := chromedp.Do(ctx); err != nil {
		w.t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// listen gets all that happens in the tab.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			b.documents = append(b.documents, e.Request.URL)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			// That a page itself came with an error is what tests are about, and a provider
			// need not have the icon that browsers ask every host for.
			if e.Entry.Source != log.EntrySourceNetwork || !slices.Contains(b.documents, e.Entry.URL) && !strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
				b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
			}
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complaints = append(b.complaints, fmt.Sprintf("console: %v", e.Args))
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	}
}

// expect makes complaints with one of these texts none.
func (b *tab) expect(texts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, texts...)
}

func (b *tab) wantNoComplaints() {
	b.t.Helper()
	for _, c := range b.unexpected() {
		b.t.Errorf("a page complains: %s", c)
	}
}

// unexpected are the complaints so far that nothing expects.
func (b *tab) unexpected() (complaints []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, c := range b.complaints {
		for _, text := range b.expected {
			if strings.Contains(c, text) {
				continue next
			}
		}
		complaints = append(complaints, c)
	}
	return complaints
}

// asked returns the addresses of the pages that were asked for so far.
func (b *tab) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.documents)
}

// do takes steps, which together have patience.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open opens an address and waits until the page, wherever that leads to, is there.
func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// press clicks on the link or the button with this label, as soon as there is one.
func (b *tab) press(label string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.Search(fmt.Sprintf(
		`//*[self::a or self::button or self::input[@type="submit"]][normalize-space(.)="%[1]s" or @value="%[1]s"]`, label))))
}

// click clicks on the first element that a CSS selector finds.
func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

// typeInto types into the first element that a CSS selector finds.
func typeInto(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

// fill types into the field with this name.
func (b *tab) fill(name, text string) {
	b.t.Helper()
	b.do(typeInto(fmt.Sprintf(`[name=%q]`, name), text))
}

// eval runs a script in the page; a promise is waited for.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a page in which a condition is true.
func (b *tab) until(condition string) {
	b.t.Helper()
	b.within(patience, condition)
}

// within waits no longer than this for a page in which a condition is true.
func (b *tab) within(limit time.Duration, condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	for {
		// A page that is about to be left cannot be asked.
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); yes && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("not within %v: %s", limit, condition)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// arrive waits until the tab shows the page of this address.
func (b *tab) arrive(address string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`location.href === %q && document.readyState === "complete"`, address))
}

// signOut signs out on the page of ours that is for it.
func (b *tab) signOut(origin string) {
	b.t.Helper()
	b.open(origin + "/.auth/sign-out")
	b.press("Sign out")
	b.until(`document.body.innerText.includes("You are signed out")`)
}

// text is all that is to be read in the page.
func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, `document.body.innerText`)
}

// wantText fails the test unless the page says all of it.
func (b *tab) wantText(texts ...string) {
	b.t.Helper()
	all := b.text()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			b.t.Errorf("%s says %q, want %q in it", b.address(), clip(all), text)
		}
	}
}

func (b *tab) address() string {
	b.t.Helper()
	return eval[string](b, `location.href`)
}

// describe tells where a tab is in a test that has failed.
func (b *tab) describe() {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	where, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	b.t.Logf("a tab is at %s %v\nby %s", clip(where), err, strings.Join(b.asked(), "\n   "))
}

// signIn signs in at a provider's page with a name and a password, and answers the
// question for consent where there is one.
func (b *tab) signIn(p *idp, who person) {
	b.t.Helper()
	b.expect(p.issuer) // whose pages are not ours to mend
	b.until(fmt.Sprintf(`location.href.startsWith(%q) && document.querySelector("[type=password]") !== null`, p.issuer))
	b.fill(eval[string](b, `document.querySelector("[type=text]").name`), who.Username)
	b.fill(eval[string](b, `document.querySelector("[type=password]").name`), who.Password)
	b.press("Sign in")
	const consent = `document.querySelector("[type=submit][value=Authorize]") !== null`
	b.until(fmt.Sprintf(`document.readyState === "complete" && (!location.href.startsWith(%q) || %s)`, p.issuer, consent))
	if eval[bool](b, consent) {
		b.press("Authorize")
	}
}

// TestAComplaintOfAPageIsNoticed: the other tests would not notice if it were not.
func TestAComplaintOfAPageIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWindow(t)
	for name, script := range map[string]string{
		"security":  `new Promise(done => { const m = document.createElement("meta"); m.httpEquiv = "Content-Security-Policy"; m.content = "img-src 'none'"; document.head.append(m); const i = new Image(); i.onerror = () => done(true); i.src = "https://elsewhere.example.test/a.png"; })`,
		"console":   `console.error("ouch") === undefined`,
		"exception": `new Promise(done => { setTimeout(() => { setTimeout(() => done(true)); throw new Error("ouch"); }); })`,
	} {
		b := w.tab()
		eval[bool](b, script)
		eventually(t, patience, "a complaint of "+name, func() bool { return strings.HasPrefix(strings.Join(b.unexpected(), "\n"), name) })
		b.expect(name)
	}
}
