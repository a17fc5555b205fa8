// Package browser tests in a real browser what only a browser can show: the
// pages work under their policies, text that other people put into the log runs
// no code, and pages of other origins get no access.
//
// The tests share one Chromium and use one tab each. They are in a separate
// module, so that the tests of the product do not need a browser.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// deadline is the maximum time for anything that should happen soon, on a busy
// machine.
const deadline = 30 * time.Second

var (
	// openBrowser starts the shared browser for the first test that needs it.
	openBrowser = sync.OnceValues(startBrowser)
	// closeBrowser closes the browser if it was started.
	closeBrowser = func() {}
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildFolder, err = os.MkdirTemp("", "web-backend-browser-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildFolder) //nolint:errcheck // an error cannot be reported here
		defer func() { closeBrowser() }()
		return m.Run()
	}())
}

// findBrowser returns the path of Chromium. It tries all usual names.
func findBrowser() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is on PATH", strings.Join(names, ", "))
}

func startBrowser() (context.Context, error) {
	path, err := findBrowser()
	if err != nil {
		return nil, err
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with a sandbox
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	closeBrowser = func() { _ = chromedp.Cancel(ctx) } // the browser is killed if it does not end
	return ctx, chromedp.Do(ctx)
}

// needBrowser skips the test on a machine without Chromium, or fails it if
// Chromium is required there.
func needBrowser(t *testing.T) context.Context {
	t.Helper()
	if _, err := findBrowser(); err != nil {
		const remedy = "install Debian's chromium, or put another Chromium on PATH"
		if os.Getenv("CI") == "true" || os.Getenv("TEST_BROWSER_REQUIRED") != "" {
			t.Fatalf("no browser to test with: %v; %s", err, remedy)
		}
		t.Skipf("SKIPPED: the pages were NOT tested in a browser: %v; %s", err, remedy)
	}
	ctx, err := openBrowser()
	if err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return ctx
}

// tab is a tab of the browser and the events that were recorded in it.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp identifies a tab by its context

	mutex sync.Mutex
	seen
	addresses map[network.RequestID]string
}

// seen is what happened in a tab since it was opened.
type seen struct {
	violations []string // violations of a Content-Security-Policy
	errors     []string // errors on the console and in the log of the browser, and uncaught exceptions
	dialogs    []string
	requests   []string // addresses
	refused    []string // addresses of documents that the browser did not show because of their headers
}

// watch reports each violation of a policy to the test. The policy of the page
// does not apply to it.
const watch = `document.addEventListener("securitypolicyviolation", (e) =>
	reportViolation(e.violatedDirective + " refused " + (e.blockedURI || "?") + " in " + e.documentURI + " " + e.sample))`

// newTab opens a tab that is closed when the test ends. It has its own cookies,
// because cookies do not belong to a port, and so to a server.
func newTab(t *testing.T) *tab {
	t.Helper()
	parent := needBrowser(t)
	tab := &tab{t: t, addresses: map[network.RequestID]string{}}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	// Set the deadline only now: a deadline on the first use of the context
	// would apply to the whole tab.
	timed, cancelTimed := context.WithTimeout(ctx, 2*deadline)
	t.Cleanup(cancelTimed)
	tab.ctx = timed
	if err := chromedp.Listen(timed, tab.event); err != nil {
		t.Fatalf("listen to a tab: %v", err)
	}
	_, err := chromedp.Call(timed, runtime.AddBinding, runtime.AddBindingParams{Name: "reportViolation"})
	if err == nil {
		_, err = chromedp.Call(timed, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	}
	if err != nil {
		t.Fatalf("prepare a tab: %v", err)
	}
	return tab
}

// event records what the tests check later.
func (b *tab) event(event any) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		b.violations = append(b.violations, e.Payload)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			text, _ := json.Marshal(e.Args)
			b.errors = append(b.errors, string(text))
		}
	case *runtime.EventExceptionThrown:
		text, _ := json.Marshal(e.ExceptionDetails)
		b.errors = append(b.errors, string(text))
	case *log.EventEntryAdded:
		if e.Entry.Source == "security" || e.Entry.Level == "error" {
			b.errors = append(b.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.dialogs = append(b.dialogs, e.Message)
		// The page waits until the dialog is closed, but a command must not be
		// sent from this callback.
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
		b.addresses[e.RequestID] = e.Request.URL
	case *network.EventLoadingFailed:
		if e.Type == network.ResourceTypeDocument && e.ErrorText == "net::ERR_BLOCKED_BY_RESPONSE" {
			b.refused = append(b.refused, b.addresses[e.RequestID])
		}
	}
}

// now returns what was seen so far.
func (b *tab) now() seen {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return seen{
		slices.Clone(b.violations), slices.Clone(b.errors), slices.Clone(b.dialogs),
		slices.Clone(b.requests), slices.Clone(b.refused),
	}
}

// open opens a page and waits until everything on it is loaded.
func (b *tab) open(address string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("open %s: %v", address, err)
	}
}

// click clicks on an element as a user does, once the element is visible.
func (b *tab) click(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, deadline)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("click %s: %v", selector, err)
	}
}

// evaluate returns the value of a JavaScript expression. If the value is a
// promise, it returns the result of the promise. The policy of the page does
// not apply.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// wait waits until a JavaScript expression is true. The page may reload in the
// meantime.
func (b *tab) wait(expression string) {
	b.t.Helper()
	eventually(b.t, expression, func() bool {
		value, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err != nil && b.ctx.Err() != nil {
			b.t.Fatalf("wait for %s: %v", expression, errors.Join(err, b.ctx.Err()))
		}
		return err == nil && value
	})
}

// eventually waits until holds returns true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// quiet checks that the browser reported no problem with the page, that the
// page sent requests only to its own host, and that it opened no dialog.
func (b *tab) quiet(root string) {
	b.t.Helper()
	got := b.now()
	for what, found := range map[string][]string{
		"violations of the policy": got.violations, "errors in the browser": got.errors, "dialogs": got.dialogs,
	} {
		if len(found) > 0 {
			b.t.Errorf("got the %s\n%s\nwant none", what, strings.Join(found, "\n"))
		}
	}
	for _, address := range got.requests {
		if !strings.HasPrefix(address, root+"/") && !strings.HasPrefix(address, "data:") {
			b.t.Errorf("the page asked for %s, want nothing but %s", address, root)
		}
	}
}

// policyHolds checks that the page is under a policy and that the test would
// see a violation. It adds a script and a style through the DOM, which must be
// refused.
func (b *tab) policyHolds() {
	b.t.Helper()
	before := len(b.now().violations)
	evaluate[bool](b, `(() => {
		const script = document.createElement("script");
		script.textContent = "window.__inline = true";
		const style = document.createElement("style");
		style.textContent = "body { outline: 7px solid }";
		const image = document.createElement("img");
		image.src = "/inserted";
		document.body.append(script, style, image);
		return true;
	})()`)
	eventually(b.t, "the violations", func() bool { return len(b.now().violations) >= before+3 })
	if evaluate[bool](b, `window.__inline === true || getComputedStyle(document.body).outlineWidth === "7px"`) {
		b.t.Error("what was put into the page took effect")
	}
}
