package eioprom_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard has the parts of grafana.json that these tests use.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource source
		}
	}
}

type source struct{ Type, UID string }

type panel struct {
	ID         int
	Title      string
	Type       string
	Datasource source
	GridPos    struct{ X, Y, W, H int }
	Targets    []struct {
		RefID, Expr, LegendFormat string
		Datasource                source
	}
	FieldConfig struct{ Defaults struct{ Unit string } }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboardFitsGrafana checks for what Grafana 10 needs to draw the panels, whichever data source is
// chosen.
func TestDashboardFitsGrafana(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 38 { // that of Grafana 10.0
		t.Errorf("uid %q, title %q, schema %d", d.UID, d.Title, d.SchemaVersion)
	}
	chosen := source{"prometheus", "${datasource}"}
	for _, variable := range d.Templating.List {
		switch variable.Name {
		case "datasource":
			if variable.Type != "datasource" || variable.Query != "prometheus" {
				t.Errorf("the data source is a %s of %v", variable.Type, variable.Query)
			}
		case "instance":
			if variable.Type != "query" || variable.Datasource != chosen {
				t.Errorf("instances are a %s from %v", variable.Type, variable.Datasource)
			}
		default:
			t.Errorf("an unknown variable: %s", variable.Name)
		}
	}
	if len(d.Templating.List) != 2 {
		t.Errorf("%d variables, want 2", len(d.Templating.List))
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID <= 0 || p.Title == "" || p.Type != "timeseries" || p.FieldConfig.Defaults.Unit == "" || p.Datasource != chosen {
			t.Errorf("panel %d: %q, a %s in %s from %v", p.ID, p.Title, p.Type, p.FieldConfig.Defaults.Unit, p.Datasource)
		}
		ids[p.ID] = true
		if p.GridPos.X < 0 || p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is at %+v", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, taken := cells[cell]; taken {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.RefID == "" || refs[target.RefID] || target.LegendFormat == "" || target.Datasource != chosen {
				t.Errorf("%s: %+v", p.Title, target)
			}
			refs[target.RefID] = true
		}
		if len(refs) == 0 {
			t.Errorf("%s is empty", p.Title)
		}
	}
}

var (
	selector = regexp.MustCompile(`\b(engineio_\w+)(\{instance=~"\$instance"\})?(\[\$__rate_interval\])?`)
	grouping = regexp.MustCompile(`\bby \(([\w, ]+)\)`)
	legend   = regexp.MustCompile(`\{\{(\w+)\}\}`)
	word     = regexp.MustCompile(`\w+`)
)

// TestDashboardNamesTheMetrics: every metric named in a panel exists, is used according to its type and has
// the labels that are used; and every metric is in some panel.
func TestDashboardNamesTheMetrics(t *testing.T) {
	all, unused := metrics(t), metrics(t)
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			found := selector.FindAllStringSubmatch(target.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s asks for nothing of ours: %s", p.Title, target.Expr)
			}
			for _, f := range found {
				name, filtered, ranged := f[1], f[2] != "", f[3] != ""
				labels := []string{"instance"}
				m, exists := all[name]
				if base, suffix := cutLast(name, "_"); !exists && slices.Contains([]string{"bucket", "sum", "count"}, suffix) {
					if m, exists = all[base]; exists && m.kind == "histogram" {
						name, labels = base, append(labels, "le")
					} else {
						exists = false
					}
				} else if m.kind == "histogram" {
					t.Errorf("%s: the histogram %s has no value of its own", p.Title, name)
				}
				if !exists {
					t.Errorf("%s: there is no %s", p.Title, f[1])
					continue
				}
				delete(unused, name)
				if !filtered {
					t.Errorf("%s: not only the chosen instances: %s", p.Title, target.Expr)
				}
				if rated := strings.Contains(target.Expr, "rate("+f[0]); ranged != rated || rated == (m.kind == "gauge") {
					t.Errorf("%s: a %s is used like this: %s", p.Title, m.kind, target.Expr)
				}
				labels = append(labels, m.labels...)
				var by []string
				for _, group := range grouping.FindAllStringSubmatch(target.Expr, -1) {
					by = append(by, word.FindAllString(group[1], -1)...)
				}
				for _, label := range by {
					if !slices.Contains(labels, label) {
						t.Errorf("%s: %s has no label %s", p.Title, name, label)
					}
				}
				for _, shown := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
					if !slices.Contains(by, shown[1]) {
						t.Errorf("%s: the legend shows %s, which is summed away", p.Title, shown[1])
					}
				}
			}
		}
	}
	for name := range unused {
		t.Errorf("no panel shows %s", name)
	}
}

func cutLast(s, separator string) (before, after string) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}
