package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/goengineio/engineio"
	root   = "../.."
)

// An arrow says what the packages in a folder and below it may depend on. Test files are exempt.
type arrow struct {
	dir string

	// imports lists what the packages may import directly, besides the standard library: a path means
	// that package and those below it. Packages of this module are written without the module path.
	imports []string

	// closed extends imports to all indirect dependencies.
	closed bool

	// never lists packages that must not be dependencies, not even indirect ones. It applies to the
	// standard library too. A path means exactly that package.
	never []string
}

// A new package gets a line here and a rule in .golangci.yml, where depguard checks the same file by file
// while you write.
var arrows = []arrow{
	{dir: "parser", closed: true, never: []string{"net", "net/http"}},
	{dir: "core", imports: []string{"parser", "github.com/rs/cors"}, closed: true},
	{dir: "conflate", imports: []string{"core"}},
	{dir: "debuglog", closed: true},
	{dir: "internal/wire", closed: true},
	{dir: "internal/permessage", closed: true},
	{dir: "internal/body", imports: []string{"core"}, never: frameworks},
	{dir: "internal/fastws", imports: []string{"core", "internal/permessage", "internal/wire", fasthttpWS}, never: frameworks},
	{dir: "engines/lean", imports: []string{"core", "internal/permessage", "internal/wire", "github.com/gobwas/ws"}, never: frameworks},
	{dir: "metrics/prometheus", imports: []string{"core", "github.com/prometheus/client_golang"}, never: frameworks},
	{dir: "adapters/nethttp", imports: []string{"core", "internal/body", "internal/fastws", "internal/wire"}, never: frameworks},
	{dir: "adapters/gin", imports: []string{"core", "adapters/nethttp", gin}, never: without(frameworks, gin)},
	{dir: "adapters/echo", imports: []string{"core", "adapters/nethttp", echo}, never: without(frameworks, echo)},
	{dir: "adapters/fiber", imports: []string{"core", "internal/body", "internal/fastws", "internal/wire", fiber, fasthttp}, never: without(frameworks, fiber)},
}

const (
	gin        = "github.com/gin-gonic/gin"
	echo       = "github.com/labstack/echo/v4"
	fiber      = "github.com/gofiber/fiber/v2"
	fasthttp   = "github.com/valyala/fasthttp"
	fasthttpWS = "github.com/fasthttp/websocket"
)

var frameworks = []string{gin, echo, fiber}

// free lists the folders whose packages need no arrow: programs, tests and, below internal, packages that
// only tests use. An internal package that is a dependency of an arrow's folder needs an arrow of its own.
var free = []string{"examples", "integration_test", "internal"}

// systems are checked one by one, since files for other systems have imports too.
var systems = []string{"linux", "darwin", "windows"}

func TestArrows(t *testing.T) {
	for _, a := range arrows {
		if !hasPackage(t, filepath.Join(root, filepath.FromSlash(a.dir))) {
			continue // does not exist yet
		}
		for _, system := range systems {
			t.Run(a.dir+"/"+system, func(t *testing.T) {
				for _, complaint := range a.check(list(t, system, "-deps", "./"+a.dir+"/...")) {
					t.Error(complaint)
				}
			})
		}
	}
}

// TestCheck checks that check finds what it should.
func TestCheck(t *testing.T) {
	std := func(path string) pkg { return pkg{ImportPath: path, Standard: true} }
	for name, tt := range map[string]struct {
		arrow arrow
		deps  []pkg
		want  int
	}{
		"fine":              {arrow{dir: "core", imports: []string{"parser"}, closed: true}, []pkg{std("net"), ours("parser"), ours("core", "net", ours("parser").ImportPath)}, 0},
		"not listed":        {arrow{dir: "parser"}, []pkg{{ImportPath: gin}, ours("parser", gin)}, 1},
		"below":             {arrow{dir: "parser"}, []pkg{{ImportPath: gin}, ours("parser/x", gin)}, 1},
		"same beginning":    {arrow{dir: "core", imports: []string{"github.com/x"}}, []pkg{{ImportPath: "github.com/x"}, {ImportPath: "github.com/xy"}, ours("core", "github.com/x", "github.com/xy")}, 1},
		"through another":   {arrow{dir: "core", imports: []string{"parser"}, closed: true}, []pkg{{ImportPath: gin}, ours("parser", gin), ours("core", ours("parser").ImportPath)}, 1},
		"never, direct":     {arrow{dir: "parser", never: []string{"net"}}, []pkg{std("net"), ours("parser", "net")}, 1},
		"never, indirect":   {arrow{dir: "parser", never: []string{"net"}}, []pkg{std("net"), std("log/x"), ours("parser", "log/x")}, 1},
		"never, not below":  {arrow{dir: "parser", never: []string{"net"}}, []pkg{std("net/netip"), ours("parser", "net/netip")}, 0},
		"internal, no line": {arrow{dir: "core", imports: []string{"internal/new"}}, []pkg{ours("internal/new"), ours("core", ours("internal/new").ImportPath)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.arrow.check(tt.deps); len(got) != tt.want {
				t.Errorf("got %d complaints, want %d: %q", len(got), tt.want, got)
			}
		})
	}
}

// TestEveryPackageHasAnArrow fails for a package that has no arrow and is not free.
func TestEveryPackageHasAnArrow(t *testing.T) {
	for _, p := range list(t, "linux", "-e", "./...") {
		path := local(p.ImportPath)
		if !covered(path, free) && !decided(path) {
			t.Errorf("%s has no arrow: say in imports_test.go and in .golangci.yml what it may import", path)
		}
	}
}

// check returns complaints about deps, the packages of the arrow's folder and all their dependencies. It
// complains about indirect dependencies only if all direct imports are right.
func (a arrow) check(deps []pkg) (complaints []string) {
	standard := map[string]bool{}
	for _, p := range deps {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range deps {
		from := local(p.ImportPath)
		if !within(from, a.dir) {
			continue
		}
		for _, imported := range p.Imports {
			if path := local(imported); !standard[imported] && !within(path, a.dir) && !covered(path, a.imports) {
				complaints = append(complaints, from+" imports "+path)
			}
		}
	}
	if len(complaints) > 0 {
		return complaints
	}
	for _, p := range deps {
		path := local(p.ImportPath)
		switch {
		case within(path, a.dir):
		case slices.Contains(a.never, path), a.closed && !p.Standard && !covered(path, a.imports):
			complaints = append(complaints, a.dir+" reaches "+path)
		case path != p.ImportPath && !decided(path):
			complaints = append(complaints, a.dir+" reaches "+path+", which has no arrow of its own")
		}
	}
	return complaints
}

// decided reports whether a package of this module has an arrow.
func decided(path string) bool {
	return slices.ContainsFunc(arrows, func(a arrow) bool { return within(path, a.dir) })
}

// local returns the path as it is written in arrows.
func local(importPath string) string {
	return strings.TrimPrefix(importPath, module+"/")
}

func covered(path string, by []string) bool {
	return slices.ContainsFunc(by, func(dir string) bool { return within(path, dir) })
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

func without(list []string, item string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == item })
}

// pkg has the fields of `go list -json` that these tests use.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Dir        string
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

func ours(path string, imports ...string) pkg {
	return pkg{ImportPath: module + "/" + path, Imports: imports}
}

func list(t *testing.T, system string, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports,Dir,Module"}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// hasPackage reports whether there is Go code, other than tests, in dir or below it.
func hasPackage(t *testing.T, dir string) bool {
	t.Helper()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false
	}
	found := false
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found = true
			return filepath.SkipAll
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
