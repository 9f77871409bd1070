package eioprom_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

// metrics returns all metrics by name, with type and labels as in the documentation.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	_, registry := newServer(t, core.Config{})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metric{}
	for _, family := range families {
		m := metric{kind: strings.ToLower(family.GetType().String())}
		for _, label := range family.GetMetric()[0].GetLabel() {
			m.labels = append(m.labels, label.GetName())
		}
		all[family.GetName()] = m
	}
	return all
}

type metric struct {
	kind   string
	labels []string // sorted
}

// TestDocumented: docs/metrics.md and the package comment name every metric with its labels, and no metric
// that does not exist.
func TestDocumented(t *testing.T) {
	for file, row := range map[string]*regexp.Regexp{
		"../../docs/metrics.md": regexp.MustCompile("(?m)^\\| `(engineio_\\w+)` \\|( \\w+ )\\|([^|]*)\\|"),
		"doc.go":                regexp.MustCompile(`(?m)^//   - (engineio_\w+)(, | )?(?:\{([\w, ]+)\})?`),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		missing := metrics(t)
		for _, found := range row.FindAllStringSubmatch(string(text), -1) {
			name, kind := found[1], strings.TrimSpace(found[2])
			m, exists := missing[name]
			if !exists {
				t.Errorf("%s: %s does not exist, or is there twice", file, name)
				continue
			}
			delete(missing, name)
			labels := regexp.MustCompile(`\w+`).FindAllString(found[3], -1)
			slices.Sort(labels)
			if !slices.Equal(labels, m.labels) {
				t.Errorf("%s: %s has the labels %q, want %q", file, name, labels, m.labels)
			}
			if strings.HasSuffix(file, ".md") && kind != m.kind {
				t.Errorf("%s: %s is a %s, want %s", file, name, kind, m.kind)
			}
		}
		for name := range missing {
			t.Errorf("%s does not name %s", file, name)
		}
	}
}
