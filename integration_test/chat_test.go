package integration_test

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// TestChat uses the chat as two people do, in two tabs of a browser.
func TestChat(t *testing.T) {
	requireFile(t, "../examples/chat/node_modules/engine.io-client/package.json", "npm ci --prefix examples/chat")
	browser := startBrowser(t)
	binary := buildChat(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			chat := startChat(t, binary, framework.name)
			ada, grace := browser.open(t, chat.url), browser.open(t, chat.url)

			ada.join("Ada")
			ada.sees("Connected over polling")
			ada.sees("Switched to websocket")
			ada.wantTransport("websocket")
			grace.join("Grace")
			grace.sees("Switched to websocket")
			for _, tab := range []*tab{ada, grace} {
				tab.wantPeople("Ada websocket, Grace websocket")
			}

			ada.say("Hello Grace 👋 <b>not bold</b>")
			grace.sees("Hello Grace 👋 <b>not bold</b>")
			grace.say("Hello Ada, that was fast.")
			ada.sees("Hello Ada, that was fast.")
			ada.sendPicture(picture(t, 480, 270))
			for _, tab := range []*tab{ada, grace} {
				tab.wantPicture(480, 270)
			}

			grace.click("#force")
			grace.sees("Connected over polling")
			ada.wantPeople("Ada websocket, Grace polling")
			for i := range 3 {
				ada.say(fmt.Sprint("Still on polling? ", i))
				grace.sees(fmt.Sprint("Still on polling? ", i))
				grace.say(fmt.Sprint("Yes, still on polling. ", i))
				ada.sees(fmt.Sprint("Yes, still on polling. ", i))
			}
			grace.sendPicture(picture(t, 300, 200))
			ada.wantPicture(300, 200)
			grace.wantPicture(300, 200)
			grace.wantTransport("polling")

			grace.setOffline(true)
			grace.wantState("lost")
			grace.setOffline(false)
			grace.wantState("connected")
			chat.wantSessions(2) // the lost one is given up
			ada.wantPeople("Ada websocket, Grace polling")
			ada.screenshot("chat-" + framework.name + ".png")

			ada.wantOnce("Connected over polling") // she kept her session throughout
			ada.reload()
			ada.sees("Switched to websocket")
			grace.reload() // which forgets about polling
			grace.sees("Switched to websocket")
			chat.wantSessions(2)
			ada.wantPeople("Ada websocket, Grace websocket")

			ada.close()
			chat.wantSessions(1)
			grace.wantPeople("Grace websocket")

			chat.stop()
			grace.wantState("lost")
		})
	}
}

// TestChatOverTLS is about the transports only: https, then wss.
func TestChatOverTLS(t *testing.T) {
	requireFile(t, "../examples/chat/node_modules/engine.io-client/package.json", "npm ci --prefix examples/chat")
	browser := startBrowser(t)
	binary := buildChat(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			chat := startChat(t, binary, framework.name, "-tls")
			ada := browser.open(t, chat.url)
			ada.join("Ada")
			ada.sees("Connected over polling")
			ada.sees("Switched to websocket")
			ada.say("Hello, in confidence")
			ada.sees("Hello, in confidence")
		})
	}
}

// chat is a running examples/chat.
type chat struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

func buildChat(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "chat")
	args := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../examples/chat")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// startChat starts the program with a short heartbeat. It is stopped when the test ends, and must
// then exit with status 0.
func startChat(t *testing.T, binary, framework string, flags ...string) *chat {
	t.Helper()
	cmd := exec.Command(binary, append(flags, "-addr", "127.0.0.1:0", "-framework", framework,
		"-ping-interval", "1s", "-ping-timeout", "5s")...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &chat{t: t, cmd: cmd}
	t.Cleanup(c.stop)
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("chat printed no address: %v", err)
	}
	c.url = regexp.MustCompile(`https?://127\.0\.0\.1:\d+/`).FindString(line)
	return c
}

// stop asks the program to end, waits until it has, and checks its exit status.
func (c *chat) stop() {
	if c.cmd.ProcessState != nil {
		return
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("chat ended with: %v", err)
	}
}

func (c *chat) wantSessions(n int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d sessions", n), func() bool {
		answer, err := http.Get(c.url + "metrics")
		if err != nil {
			c.t.Fatal(err)
		}
		defer answer.Body.Close()
		metrics, err := io.ReadAll(answer.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		open := 0
		for _, found := range openSessions.FindAllSubmatch(metrics, -1) {
			count, _ := strconv.Atoi(string(found[1]))
			open += count
		}
		return open == n
	})
}

// openSessions finds the lines of one metric.
var openSessions = regexp.MustCompile(`(?m)^engineio_sessions\{.*\} (\d+)$`)

// picture writes a PNG file with a colour gradient.
func picture(t *testing.T, width, height int) (path string) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			img.Set(x, y, color.RGBA{uint8(40 + 180*x/width), uint8(90 + 120*y/height), 190, 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
