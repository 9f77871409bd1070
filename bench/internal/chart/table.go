// Package chart draws a table of numbers as lines.
package chart

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Table has a column of x values and, beside it, one column for each series. What is missing is NaN.
type Table struct {
	X       string
	Names   []string
	Xs      []float64
	Columns [][]float64 // of each name
}

// Add appends a row.
func (t *Table) Add(x float64, values ...float64) {
	t.Xs = append(t.Xs, x)
	if t.Columns == nil {
		t.Columns = make([][]float64, len(t.Names))
	}
	for i := range t.Names {
		value := math.NaN()
		if i < len(values) {
			value = values[i]
		}
		t.Columns[i] = append(t.Columns[i], value)
	}
}

// Read parses CSV whose first row names the columns and whose first column is x. A cell may be empty.
func Read(r io.Reader) (*Table, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 || len(rows[0]) < 2 {
		return nil, errors.New("a header, a row and two columns are the least to draw")
	}
	t := &Table{X: rows[0][0], Names: rows[0][1:]}
	for line, row := range rows[1:] {
		numbers := make([]float64, len(row))
		for i, cell := range row {
			numbers[i] = math.NaN()
			if cell == "" && i > 0 {
				continue
			}
			if numbers[i], err = strconv.ParseFloat(cell, 64); err != nil {
				return nil, fmt.Errorf("row %d, column %q: %w", line+2, rows[0][i], err)
			}
		}
		t.Add(numbers[0], numbers[1:]...)
	}
	return t, nil
}

// Write is the reverse of Read.
func (t *Table) Write(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{append([]string{t.X}, t.Names...)}
	for i, x := range t.Xs {
		row := []string{format(x)}
		for _, column := range t.Columns {
			row = append(row, format(column[i]))
		}
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

func format(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
