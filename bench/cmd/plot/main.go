// Plot draws a CSV file as a PNG. The first row names the columns, the first column is x, every other
// one is a line.
//
//	go run ./cmd/plot -in memory.csv -out memory.png -title "Memory" -x seconds -y MiB -right goroutines
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/goengineio/engineio/bench/internal/chart"
)

func main() {
	var o chart.Options
	in := flag.String("in", "", "CSV file to read (- for standard input)")
	out := flag.String("out", "", "PNG file to write")
	flag.StringVar(&o.Title, "title", "", "title")
	flag.StringVar(&o.X, "x", "", "label of the x axis (default: the name of the first column)")
	flag.StringVar(&o.Y, "y", "", "label of the y axis")
	flag.Func("right", "column with other units: it gets a panel of its own, below the first; may be repeated", func(name string) error {
		o.Below = append(o.Below, name)
		return nil
	})
	flag.BoolVar(&o.LogX, "logx", false, "make the x axis logarithmic")
	flag.Parse()
	if *in == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*in, *out, o); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in, out string, o chart.Options) error {
	file := os.Stdin
	if in != "-" {
		var err error
		if file, err = os.Open(in); err != nil {
			return err
		}
		defer file.Close()
	}
	table, err := chart.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return chart.Draw(table, out, o)
}
