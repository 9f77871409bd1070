package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docHeader makes a program of a piece of one: whatever it uses is there.
const docHeader = `package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	"github.com/rs/cors"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	eiogin "github.com/goengineio/engineio/adapters/gin"
	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/debuglog"
	"github.com/goengineio/engineio/engines/lean"
)

var (
	_ = []any{bytes.Cut, context.Background, rand.Text, errors.New, fmt.Sprint, log.Println, http.NewServeMux, os.Exit, time.Now}
	_ = []any{gin.New, fiber.New, echo.New, cors.New, eioecho.Mount, eiofiber.Mount, eiogin.Mount, eiohttp.Mount}
	_ = []any{conflate.Chain, core.Text, debuglog.FromEnv, lean.New}
)

func main() {}

func piece(srv *core.Server, s *core.Socket, cfg core.Config, data []byte, user any, id string) {
	use := func(...any) {}
	use(srv, s, cfg, data, user, id)
%s
}
`

// TestDocsCompile builds the Go halves of docs/from-node.md, each a package of its own.
func TestDocsCompile(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../docs/from-node.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 25 {
		t.Errorf("only %d Go blocks", len(blocks))
	}
	// Inside the module, so that its own packages are found.
	dir, err := os.MkdirTemp(".", "docs") //nolint:usetesting // its folder is outside the module
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for i, block := range blocks {
		program := block[1]
		if !strings.HasPrefix(program, "package main\n") {
			program = fmt.Sprintf(docHeader, program)
		}
		folder := filepath.Join(dir, fmt.Sprintf("block%02d", i+1))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), "go", "vet", "./"+dir+"/...").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestDocsHaveBothHalves: no section shows Go without what it replaces.
func TestDocsHaveBothHalves(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../docs/from-node.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n### ")
	for _, section := range sections[1:] {
		title, body, _ := strings.Cut(section, "\n")
		before, _, found := strings.Cut(body, "```go\n")
		if !found || strings.Count(before, "```") < 2 {
			t.Errorf("%q lacks a half", title)
		}
	}
}
