package integration_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A browser is a headless Chromium with a profile of its own.
type browser struct {
	ctx context.Context
}

// startBrowser starts a browser that ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(requireBrowser(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1100, 760),
		chromedp.Headless,
		chromedp.NoSandbox,
		chromedp.NoFirstRun,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("ignore-certificate-errors", true), // those of tests have no authority
		chromedp.Flag("disable-dev-shm-usage", true),     // containers have little shared memory
		chromedp.WSURLReadTimeout(patience),
	)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("closing the browser: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return &browser{ctx}
}

// A tab is a page of the chat. Its methods wait for what they expect.
type tab struct {
	t     *testing.T
	ctx   context.Context
	close func()
}

// open opens the page in a window of its own, so that no tab hides another.
func (b *browser) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // without a time limit: the tab lives as long as this context
		t.Fatalf("opening a tab: %v", err)
	}
	p := &tab{t: t, ctx: ctx, close: closeTab}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page says:\n%s", p.text())
		}
	})
	p.run("open "+url, chromedp.Navigate(url))
	return p
}

func (p *tab) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// waitFor waits until the JavaScript expression is true.
func (p *tab) waitFor(what, expression string) {
	p.t.Helper()
	eventually(p.t, what, func() bool {
		holds, err := evaluate[bool](p, expression)
		return err == nil && holds // an error: the page is being loaded
	})
}

func (p *tab) text() string {
	text, _ := evaluate[string](p, "document.body.innerText")
	return text
}

func evaluate[T any](p *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

func (p *tab) join(name string) {
	p.t.Helper()
	p.run("join", chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.Click(chromedp.CSS("#join button")))
}

func (p *tab) say(text string) {
	p.t.Helper()
	p.run("say "+text, chromedp.SendKeys(chromedp.CSS("#text:enabled"), text), chromedp.Click(chromedp.CSS("#say button")))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.run("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (p *tab) sendPicture(path string) {
	p.t.Helper()
	p.run("send a picture", chromedp.SetUploadFiles(chromedp.CSS("#picture"), []string{path}))
}

func (p *tab) reload() {
	p.t.Helper()
	p.run("reload", chromedp.Reload())
}

// setOffline cuts the tab off the network, or lets it back on.
func (p *tab) setOffline(offline bool) {
	p.t.Helper()
	p.run("network", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		return err
	}))
}

// sees waits until the log has a message or notice with exactly this text; each is found once.
func (p *tab) sees(text string) {
	p.t.Helper()
	p.waitFor("sees "+strconv.Quote(text), `(() => {
		const found = [...document.querySelectorAll("#log .notice:not(.seen), #log .text:not(.seen)")]
			.find((node) => node.textContent === `+strconv.Quote(text)+`);
		found?.classList.add("seen");
		return Boolean(found);
	})()`)
}

// wantOnce checks that the log has the notice exactly once.
func (p *tab) wantOnce(notice string) {
	p.t.Helper()
	n, err := evaluate[int](p, `[...document.querySelectorAll("#log .notice")]
		.filter((node) => node.textContent === `+strconv.Quote(notice)+`).length`)
	if err != nil || n != 1 {
		p.t.Errorf("notice %q: %d times, %v; want it once", notice, n, err)
	}
}

func (p *tab) wantTransport(name string) {
	p.t.Helper()
	p.waitFor("transport "+name, `document.querySelector("#wire").dataset.transport === `+strconv.Quote(name))
}

func (p *tab) wantState(state string) {
	p.t.Helper()
	p.waitFor("state "+state, `document.querySelector("#wire").dataset.state === `+strconv.Quote(state))
}

// wantPeople waits until exactly these are there: "name transport, name transport".
func (p *tab) wantPeople(people string) {
	p.t.Helper()
	p.waitFor("people "+people, `[...document.querySelectorAll("#people li")]
		.map((li) => li.querySelector(".name").textContent.replace(" (you)", "") + " " + li.querySelector(".badge").textContent)
		.sort().join(", ") === `+strconv.Quote(people))
}

// wantPicture waits until the last picture is one of this size.
func (p *tab) wantPicture(width, height int) {
	p.t.Helper()
	p.waitFor("picture", `(() => {
		const last = [...document.querySelectorAll("#log img")].at(-1);
		return last?.naturalWidth === `+strconv.Itoa(width)+` && last.naturalHeight === `+strconv.Itoa(height)+`;
	})()`)
}

// screenshot keeps a picture of the page in EIO_ARTIFACTS, or artifacts/ of the repository.
func (p *tab) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("EIO_ARTIFACTS")
	if dir == "" {
		dir = filepath.Join("..", "artifacts")
	}
	image, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), image, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
