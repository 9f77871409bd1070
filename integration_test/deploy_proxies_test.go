package integration_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// reverseProxies are those that docs/deploy.md has a configuration for. What the documentation shows
// is what runs here: it is cut out of the text, and only what belongs to a machine is filled in.
var reverseProxies = []struct {
	name     string
	language string // of the fenced block
	around   string // what stands around the snippet, in testdata/deploy
	listen   string // what the snippet says, and what it becomes
	become   string
	command  func(dir, config string) []string
}{
	{
		"nginx", "nginx", "nginx.conf", "listen 80;", "listen ADDR;",
		func(dir, config string) []string { return []string{"nginx", "-p", dir, "-c", config, "-e", "stderr"} },
	},
	{
		"haproxy", "haproxy", "haproxy.cfg", "bind :80\n", "bind ADDR\n",
		func(_, config string) []string { return []string{"haproxy", "-db", "-f", config} },
	},
	{
		"caddy", "caddyfile", "Caddyfile", "http://example.com {", "http://ADDR {",
		func(_, config string) []string {
			return []string{"caddy", "run", "--config", config, "--adapter", "caddyfile"}
		},
	},
}

// The addresses of the two instances, and the timeout that is to be longer than a heartbeat takes,
// as the documentation spells them.
const (
	documentedA       = "127.0.0.1:8080"
	documentedB       = "127.0.0.1:8081"
	documentedTimeout = "60s"
)

// startProxy runs a proxy in front of two instances, given as host:port, and returns its address as
// http://host:port. timeout is what takes the place of the documented one.
func startProxy(t *testing.T, name, timeout, instanceA, instanceB string) (url string) {
	t.Helper()
	for _, proxy := range reverseProxies {
		if proxy.name != name {
			continue
		}
		program := requireProxy(t, proxy.name)
		addr, dir := freeAddr(t), t.TempDir()
		around, err := os.ReadFile(filepath.Join("testdata", "deploy", proxy.around))
		if err != nil {
			t.Fatal(err)
		}
		snippet := documented(t, proxy.language)[0]
		for _, fill := range [][2]string{
			{proxy.listen, strings.ReplaceAll(proxy.become, "ADDR", addr)},
			{documentedA, instanceA}, {documentedB, instanceB}, {documentedTimeout, timeout},
		} {
			if !strings.Contains(snippet, fill[0]) {
				t.Fatalf("the configuration of %s does not say %q", name, fill[0])
			}
			snippet = strings.ReplaceAll(snippet, fill[0], fill[1])
		}
		config := filepath.Join(dir, proxy.around)
		text := strings.NewReplacer("SNIPPET", snippet, "DIR", dir).Replace(withoutComments(string(around)))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := proxy.command(dir, config)
		cmd := exec.CommandContext(t.Context(), program, arguments[1:]...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
		startProcess(t, cmd, addr)
		return "http://" + addr
	}
	t.Fatalf("no proxy is called %s", name)
	return ""
}

// requireProxy returns the program of a proxy.
func requireProxy(t *testing.T, name string) string {
	t.Helper()
	program, installed := lookProxy(name)
	if !installed {
		missing(t, name, "install it (make tools does)")
	}
	return program
}

// lookProxy looks where Debian keeps such programs, too, which is not always in a user's PATH.
func lookProxy(name string) (program string, installed bool) {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(path); err == nil {
			return program, true
		}
	}
	return "", false
}

// startProcess runs a server until the test ends and returns when it listens. What it wrote is shown
// if the test fails.
func startProcess(t *testing.T, cmd *exec.Cmd, addr string) *process {
	t.Helper()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(cmd.Path), p.output())
		}
	})
	eventually(t, filepath.Base(cmd.Path)+" listens", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("%s ended: %v", cmd.Path, p.err)
		default:
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	return p
}

// process is a program under test and what it wrote.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // once ended

	mu   sync.Mutex
	text bytes.Buffer
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// documented returns the fenced blocks of docs/deploy.md in a language.
func documented(t *testing.T, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash("../docs/deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/deploy.md has no block of %s", language)
	}
	return blocks
}

// withoutComments drops the lines that speak of the places to fill in.
func withoutComments(text string) string {
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
}
