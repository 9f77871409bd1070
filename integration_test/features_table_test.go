package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

// feature is a row of FEATURES.md.
type feature struct{ javaScript, ours, since, proof string }

// features reads the rows of all tables in FEATURES.md.
func features(t *testing.T) (rows []feature) {
	t.Helper()
	text, err := os.ReadFile("../FEATURES.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| JavaScript") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%d cells: %s", len(cells), line)
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, feature{cells[0], cells[1], cells[2], cells[3]})
	}
	if len(rows) < 100 {
		t.Errorf("only %d rows", len(rows))
	}
	return rows
}

// tests are the names of all tests in the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range declaration.FindAllSubmatch(text, -1) {
			names[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEveryFeatureIsProved(t *testing.T) {
	exist := tests(t)
	var seen []feature
	for _, f := range features(t) {
		if f.javaScript == "" || f.since == "" {
			t.Errorf("incomplete: %+v", f)
		}
		if slices.Contains(seen, f) {
			t.Errorf("twice: %+v", f)
		}
		seen = append(seen, f)
		if reason, ok := strings.CutPrefix(f.proof, "not done: "); ok {
			if reason == "" {
				t.Errorf("%s: not done, for no reason", f.javaScript)
			}
			continue
		}
		if f.ours == "" {
			t.Errorf("%s: what is it here?", f.javaScript)
		}
		for name := range strings.SplitSeq(f.proof, ",") {
			if name = strings.TrimSpace(name); !exist[name] {
				t.Errorf("%s: there is no test %q", f.javaScript, name)
			}
		}
	}
}

// TestFeaturesNameTheAPI: what the table names exists, and every field of Config and every method of
// Server and Socket is in it.
func TestFeaturesNameTheAPI(t *testing.T) {
	text, err := os.ReadFile("../FEATURES.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`\b(Config|Server|Socket)\.[A-Z]\w*`).FindAllString(string(text), -1) {
		named[match] = true
	}
	has := map[string]bool{}
	config := reflect.TypeFor[core.Config]()
	for i := range config.NumField() {
		has["Config."+config.Field(i).Name] = true
	}
	for name, of := range map[string]reflect.Type{"Server.": reflect.TypeFor[*core.Server](), "Socket.": reflect.TypeFor[*core.Socket]()} {
		for i := range of.NumMethod() {
			has[name+of.Method(i).Name] = true
		}
	}
	for name := range has {
		if !named[name] {
			t.Errorf("%s is not in FEATURES.md", name)
		}
	}
	for name := range named {
		if !has[name] {
			t.Errorf("FEATURES.md names %s, which does not exist", name)
		}
	}
}
