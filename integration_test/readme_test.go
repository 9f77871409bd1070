package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReadmeCompiles builds every complete Go program that the README shows.
func TestReadmeCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindAllSubmatch(readme, -1)
	if len(programs) == 0 {
		t.Fatal("the README shows no program")
	}
	for _, program := range programs {
		// Inside the module, so that its own packages are found.
		dir, err := os.MkdirTemp(".", "readme") //nolint:usetesting // its folder is outside the module
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := os.WriteFile(filepath.Join(dir, "main.go"), program[1], 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), "go", "vet", "./"+dir).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s\n%s", err, output, program[1])
		}
	}
}
