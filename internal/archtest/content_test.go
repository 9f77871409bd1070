package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unwanted is what no file of the repository may contain, since the repository is cloned to other
// machines, behind other registries. (The patterns do not match themselves.)
var unwanted = map[string]*regexp.Regexp{
	"a path of one machine":      regexp.MustCompile(`(^|[^\w.~/-])/(work|root|Users)[/]\w`),
	"the address of a registry":  regexp.MustCompile(`registry\.npmjs\.org|registry\.yarnpkg\.com|proxy\.golang\.org|sum\.golang\.org|deb\.debian\.org|security\.debian\.org`),
	"the address of some mirror": regexp.MustCompile(`(GOPROXY|GONOSUMDB|npm_config_registry)=\S|^registry[ ]*=|//[\w.-]+/:_auth`),
}

// resolved matches a download address in a lock file, which would tie `npm ci` to that place.
var resolved = regexp.MustCompile(`"resolved": "https?[:]`)

func TestContent(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			// .gitignore keeps these out of the repository.
			if slices.Contains([]string{".git", "node_modules", "bin", "artifacts"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return nil // a binary: a program built here, or a profile
		}
		checked++
		for _, complaint := range complaints(name, data) {
			t.Errorf("%s:%s", path, complaint)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 10 {
		t.Errorf("only %d files were there to check", checked)
	}
}

// TestComplaints checks that the patterns find what they should, and leave URLs and relative paths alone.
func TestComplaints(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		want       int
	}{
		{"a.md", "see " + "/work" + "/notes", 1},
		{"a.go", `open("` + "/root" + `/x")`, 1},
		{"a.md", "https://example.com/work" + "/notes, ../work" + "/notes, framework" + "/x", 0},
		{"a.sh", "export GOPROXY" + "=https://example.com", 1},
		{"a.md", "https://registry" + ".npmjs.org/ws", 1},
		{"package-lock.json", `      "resolved"` + `: "https://example.com/ws.tgz",`, 1},
		{"package-lock.json", `      "resolved"` + `: "packages/ws",`, 0},
		{"a.md", `      "resolved"` + `: "https://example.com/ws.tgz",`, 0},
	} {
		if got := complaints(tt.name, []byte(tt.line)); len(got) != tt.want {
			t.Errorf("%s, %q: got %d complaints, want %d: %q", tt.name, tt.line, len(got), tt.want, got)
		}
	}
}

// complaints returns what a file should not contain but does, each with its line.
func complaints(name string, data []byte) (found []string) {
	lock := strings.HasSuffix(name, "-lock.json") || name == "npm-shrinkwrap.json"
	for i, line := range bytes.Split(data, []byte("\n")) {
		for what, pattern := range unwanted {
			if match := pattern.Find(line); match != nil {
				found = append(found, fmt.Sprintf("%d: %s: %q", i+1, what, match))
			}
		}
		if match := resolved.Find(line); lock && match != nil {
			found = append(found, fmt.Sprintf("%d: where a package came from (omit-lockfile-registry-resolved=true in .npmrc keeps it out): %q", i+1, match))
		}
	}
	return found
}
