package chart

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = "seconds,MiB,goroutines\n0,10,5\n1,,7\n2.5,12.25,9\n"

func TestReadWrite(t *testing.T) {
	table, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	if table.X != "seconds" || len(table.Xs) != 3 || !math.IsNaN(table.Columns[0][1]) || table.Columns[1][2] != 9 {
		t.Errorf("read as %+v", table)
	}
	var out strings.Builder
	if err := table.Write(&out); err != nil || out.String() != sample {
		t.Errorf("written as %q, %v", out.String(), err)
	}
	for _, wrong := range []string{"", "x,y\n", "x\n1\n", "x,y\n1,z\n", "x,y\n,1\n", "x,y\n1,2,3\n"} {
		if _, err := Read(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q was read", wrong)
		}
	}
}

func TestDraw(t *testing.T) {
	table, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	heights := map[string]int{}
	for _, below := range []string{"", "goroutines"} {
		file := filepath.Join(t.TempDir(), "folder", "a.png")
		if err := Draw(table, file, Options{Title: "Memory", Y: "MiB", Below: strings.Fields(below)}); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		heights[below] = picture.Bounds().Dy()
	}
	if heights["goroutines"] <= heights[""] {
		t.Errorf("no room for a second panel: %v", heights)
	}
	if err := Draw(table, filepath.Join(t.TempDir(), "a.png"), Options{Below: []string{"nothing"}}); err == nil {
		t.Error("a column that is not there was drawn")
	}
}
