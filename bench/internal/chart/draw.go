package chart

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Options say how a table is drawn.
type Options struct {
	Title string
	X, Y  string // labels of the axes; X is the name of the first column by default
	// Below names columns that each get a panel of their own, below the first.
	Below []string
	// LogX spreads x values that differ by orders of magnitude.
	LogX bool
}

// Lines that differ in lightness too, for those who print or see no colours.
var colours = []color.Color{
	color.RGBA{0x1f, 0x4e, 0x9c, 0xff}, color.RGBA{0xd9, 0x5f, 0x02, 0xff}, color.RGBA{0x6a, 0x6a, 0x6a, 0xff},
	color.RGBA{0x1b, 0x9e, 0x77, 0xff}, color.RGBA{0xa6, 0x3a, 0x8e, 0xff}, color.RGBA{0x8c, 0x6d, 0x1f, 0xff},
}

// Draw writes the table as a PNG.
func Draw(t *Table, file string, o Options) error {
	for _, name := range o.Below {
		if !slices.Contains(t.Names, name) {
			return fmt.Errorf("there is no column %q", name)
		}
	}
	if o.X == "" {
		o.X = t.X
	}
	panels := []*plot.Plot{newPanel(t, o, o.Y)}
	panels[0].Title.Text = o.Title
	for _, name := range o.Below {
		panels = append(panels, newPanel(t, o, name))
	}
	for i, name := range t.Names {
		// Index is -1 for those of the first panel.
		if err := addSeries(panels[1+slices.Index(o.Below, name)], t, i); err != nil {
			return err
		}
	}
	for _, p := range panels {
		p.Y.Min = min(0, p.Y.Min) // a curve that looks steep because its axis is cut off misleads
		p.Y.Max *= 1.3            // room for the legend
		if p.Y.Max <= p.Y.Min {
			p.Y.Max = p.Y.Min + 1
		}
	}
	return save(panels, file)
}

func newPanel(t *Table, o Options, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = o.X, y
	p.Legend.Top, p.Legend.Left = true, false
	p.Legend.Padding = vg.Points(2)
	if o.LogX && slices.Min(t.Xs) > 0 {
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = ticksAt(t.Xs)
	}
	p.Add(plotter.NewGrid())
	return p
}

// ticksAt marks the x values themselves.
func ticksAt(xs []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, x := range xs {
		ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'f', -1, 64)})
	}
	return ticks
}

func addSeries(p *plot.Plot, t *Table, i int) error {
	var points plotter.XYs
	for row, x := range t.Xs {
		if y := t.Columns[i][row]; !math.IsNaN(y) {
			points = append(points, plotter.XY{X: x, Y: y})
		}
	}
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Width = vg.Points(1.5)
	line.Color = colours[i%len(colours)]
	marks.Color = line.Color
	marks.Shape = draw.CircleGlyph{}
	marks.Radius = vg.Points(2.2)
	if len(points) > 60 {
		p.Add(line)
		p.Legend.Add(t.Names[i], line)
		return nil
	}
	p.Add(line, marks)
	p.Legend.Add(t.Names[i], line, marks)
	return nil
}

func save(panels []*plot.Plot, file string) error {
	height := vg.Length(3.4)
	if len(panels) > 1 {
		height = 5.6
	}
	canvas := vgimg.NewWith(vgimg.UseWH(7*vg.Inch, height*vg.Inch), vgimg.UseDPI(110))
	rows := make([][]*plot.Plot, len(panels))
	for i := range panels {
		rows[i] = panels[i : i+1]
	}
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: vg.Points(8), PadTop: vg.Points(4), PadBottom: vg.Points(4), PadRight: vg.Points(8), PadLeft: vg.Points(4)}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		panels[i].Draw(row[0])
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
