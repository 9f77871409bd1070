package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// allowedLicences are the licences, by SPDX name, that users of this module may have to comply with:
// permissive ones, and of the copyleft licences the one that applies file by file.
var allowedLicences = []string{"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MPL-2.0"}

// leastKnown is how much of a licence file, in percent of its words, must be text of a known licence. The
// rest may be names and a sentence on what the file is about; an additional clause that restricts the
// licence would be longer.
const leastKnown = 90

// licenceFile matches the name of a file with the licence of its folder and of those below.
var licenceFile = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying`)

// TestLicences checks the licences of all modules that are linked into a package or test of this module, on
// each system. It reads them from the module cache, and needs no network once the modules are there.
func TestLicences(t *testing.T) {
	files := map[string]map[string]bool{} // by module, including licences for parts of it
	for _, system := range systems {
		for _, p := range list(t, system, "-deps", "-test", "./...") {
			if p.Module == nil || p.Module.Main {
				continue
			}
			name := p.Module.Path + " " + p.Module.Version
			if files[name] == nil {
				files[name] = map[string]bool{}
			}
			found, err := licenceFiles(p.Module.Dir, p.Dir)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, file := range found {
				files[name][file] = true
			}
		}
	}
	for name, found := range files {
		for file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if complaint := judgeText(data); complaint != "" {
				t.Errorf("%s: %s: %s", name, file, complaint)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s: there is no licence file", name)
		}
	}
	if len(files) < 10 {
		t.Errorf("only %d modules were there to check", len(files))
	}
}

// TestShippedLicences checks the licences that the npm packages of the examples declare, since a page serves
// these packages to its visitors. There is nothing to check if they are not installed.
func TestShippedLicences(t *testing.T) {
	packages, err := filepath.Glob(filepath.Join(root, "examples", "*", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range packages {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !isPackage(path) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if complaint := judgePackage(data); complaint != "" {
				t.Errorf("%s: %s", filepath.Dir(path), complaint)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestJudge checks that licences that are not allowed are noticed.
func TestJudge(t *testing.T) {
	own, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	const gnu = "\nThis program is free software: you can redistribute it and/or modify it under the terms of the " +
		"GNU %s General Public License as published by the Free Software Foundation, either version 3 of the License, " +
		"or (at your option) any later version.\n"
	for name, tt := range map[string]struct{ text, want string }{
		"this module's":      {string(own), ""},
		"one for everything": {string(own) + string(own), ""},
		"GPL":                {fmt.Sprintf(gnu, ""), "GPL-3.0"},
		"AGPL":               {fmt.Sprintf(gnu, "Affero"), "AGPL-3.0"},
		"LGPL":               {fmt.Sprintf(gnu, "Lesser"), "LGPL-3.0"},
		"GPL for a part":     {string(own) + fmt.Sprintf(gnu, ""), "GPL-3.0"},
		"nothing":            {"", "known"},
		"unknown":            {"You may look at this, but not use it.", "known"},
		"something added":    {string(own) + strings.Repeat("No one may sell this software. ", 5), "known"},
		"half of it":         {string(own[:len(own)/2]), "known"},
	} {
		if got := judgeText([]byte(tt.text)); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want one with %q", name, got, tt.want)
		}
	}
	for text, ok := range map[string]bool{
		`{"name": "a", "license": "MIT"}`:              true,
		`{"name": "a", "license": {"type": "ISC"}}`:    true,
		`{"name": "a", "licenses": [{"type": "MIT"}]}`: true,
		`{"name": "a"}`:                                  false,
		`{"name": "a", "license": "AGPL-3.0"}`:           false,
		`{"name": "a", "license": "SEE LICENSE IN X"}`:   false,
		`{"name": "a", "licenses": [{"type": "GPL-2"}]}`: false,
	} {
		if got := judgePackage([]byte(text)); (got == "") != ok {
			t.Errorf("%s: got %q", text, got)
		}
	}
	if isPackage(filepath.FromSlash("node_modules/a/dist/package.json")) || !isPackage(filepath.FromSlash("node_modules/@b/a/package.json")) {
		t.Error("isPackage takes the wrong files for those of packages")
	}
}

// judgeText returns what is wrong with the text of a licence file, or "".
func judgeText(text []byte) string {
	found := licensecheck.Scan(text)
	for _, m := range found.Match {
		if !slices.Contains(allowedLicences, m.ID) {
			return m.ID + " is not among the licences that are allowed"
		}
	}
	if found.Percent < leastKnown {
		return fmt.Sprintf("only %.0f %% of it is text of a licence that is known", found.Percent)
	}
	return ""
}

// judgePackage returns what is wrong with the licence that a package.json names, or "". Old files name it as
// an object, or name several.
func judgePackage(data []byte) string {
	var p struct {
		License  json.RawMessage
		Licenses []struct{ Type string }
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return err.Error()
	}
	var names []string
	for _, l := range p.Licenses {
		names = append(names, l.Type)
	}
	var name string
	var object struct{ Type string }
	switch {
	case p.License == nil:
	case json.Unmarshal(p.License, &name) == nil:
		names = append(names, name)
	case json.Unmarshal(p.License, &object) == nil:
		names = append(names, object.Type)
	}
	for _, name := range names {
		if !slices.Contains(allowedLicences, name) {
			return name + " is not among the licences that are allowed"
		}
	}
	if len(names) == 0 {
		return "it names no licence"
	}
	return ""
}

// licenceFiles lists the licence files in dir and in the folders above it, up to root.
func licenceFiles(root, dir string) (files []string, err error) {
	if rel, err := filepath.Rel(root, dir); err != nil || !filepath.IsLocal(rel) {
		return nil, errors.Join(fmt.Errorf("%s is not in %s", dir, root), err)
	}
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if name := entry.Name(); entry.Type().IsRegular() && licenceFile.MatchString(name) && filepath.Ext(name) != ".go" {
				files = append(files, filepath.Join(dir, name))
			}
		}
		if dir == root {
			return files, nil
		}
		dir = filepath.Dir(dir)
	}
}

// isPackage reports whether a file is the package.json of a package, and not of a folder inside one.
func isPackage(path string) bool {
	parts := strings.Split(filepath.ToSlash(path), "/")
	n := len(parts) - 1
	if parts[n] != "package.json" {
		return false
	}
	return n >= 2 && parts[n-2] == "node_modules" ||
		n >= 3 && parts[n-3] == "node_modules" && strings.HasPrefix(parts[n-2], "@")
}
