package integration_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestStatsPage watches the chat's page of figures while somebody uses the chat.
func TestStatsPage(t *testing.T) {
	requireFile(t, "../examples/chat/node_modules/engine.io-client/package.json", "npm ci --prefix examples/chat")
	browser := startBrowser(t)
	binary := buildChat(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			chat := startChat(t, binary, framework.name)
			ada := browser.open(t, chat.url)
			page, err := evaluate[string](ada, `document.querySelector("header a").href`)
			if err != nil || page != chat.url+"stats" {
				t.Fatalf("the chat links to %q, %v", page, err)
			}
			stats := browser.open(t, page)
			stats.wantValue("sessions", "websocket", "=== 0")

			ada.join("Ada")
			ada.sees("Switched to websocket")
			stats.wantValue("sessions", "websocket", "=== 1")
			for i := range 5 {
				ada.say(fmt.Sprint("Do you see me? ", i))
			}
			for _, direction := range []string{"received", "sent"} {
				stats.wantPeak("packets", direction)
				stats.wantPeak("bytes", direction)
			}
			stats.wantPeak("pings", "mean") // there is a ping in every second

			ada.click("#force")
			ada.sees("Connected over polling")
			stats.wantValue("sessions", "websocket", "=== 0")
			stats.wantValue("sessions", "polling", "=== 1")
			stats.wantPeak("sessions", "websocket") // is still in the plot
			stats.wantPeak("closes", "transport close")
			stats.wantNoPeak("closes", "parse error")
			stats.waitFor("a longer line", points("sessions", "polling")+".length >= 5")
			stats.wantPlotsInPlace()
			stats.wantNothingFromElsewhere(chat.url)
			stats.screenshot("stats-" + framework.name + ".png")

			chat.stop()
			stats.waitFor("notice that the chat is gone", `document.body.dataset.state === "lost"`)
		})
	}
}

// wantValue waits until the legend of a plot shows such a number.
func (p *tab) wantValue(plot, series, condition string) {
	p.t.Helper()
	p.waitFor(plot+" "+series+" "+condition,
		fmt.Sprintf(`Number(document.querySelector("#%s li[data-series='%s'] b").textContent) %s`, plot, series, condition))
}

// wantPeak waits until a line has left the bottom of its plot.
func (p *tab) wantPeak(plot, series string) {
	p.t.Helper()
	p.waitFor("a peak in "+plot+" "+series, points(plot, series)+".some((point) => point.y < 99 && point.y >= 0)")
}

// wantNoPeak checks that a line is drawn and lies on the bottom.
func (p *tab) wantNoPeak(plot, series string) {
	p.t.Helper()
	flat, err := evaluate[bool](p, points(plot, series)+".length > 0 && "+points(plot, series)+".every((point) => point.y === 100)")
	if err != nil || !flat {
		p.t.Errorf("%s %s is no flat line, %v", plot, series, err)
	}
}

// points are what a line of a plot goes through, as JavaScript.
func points(plot, series string) string {
	return fmt.Sprintf(`[...document.querySelector("#%s polyline[data-series='%s']").points]`, plot, series)
}

// wantPlotsInPlace checks that every plot is to be seen, and lies within its own figure.
func (p *tab) wantPlotsInPlace() {
	p.t.Helper()
	inPlace, err := evaluate[int](p, `[...document.querySelectorAll("figure")].filter((figure) => {
		const [outer, inner] = [figure, figure.querySelector("svg")].map((node) => node.getBoundingClientRect());
		return inner.width > 100 && inner.height > 50 && inner.left > outer.left && inner.right < outer.right &&
			inner.top > outer.top && inner.bottom < figure.querySelector(".legend").getBoundingClientRect().top;
	}).length`)
	if err != nil || inPlace != 6 {
		p.t.Errorf("%d plots are in place, %v; want 6", inPlace, err)
	}
}

// wantNothingFromElsewhere checks that whatever the page has loaded came from its own server.
func (p *tab) wantNothingFromElsewhere(url string) {
	p.t.Helper()
	loaded, err := evaluate[[]string](p, `performance.getEntriesByType("resource").map((entry) => entry.name)`)
	if err != nil || len(loaded) == 0 {
		p.t.Errorf("loaded: %q, %v", loaded, err)
	}
	for _, from := range loaded {
		if !strings.HasPrefix(from, url) && !strings.HasPrefix(from, "data:") {
			p.t.Errorf("loaded %s", from)
		}
	}
}
