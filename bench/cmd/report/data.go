package main

import (
	"encoding/json"
	"errors"
	"os"
	"time"
)

// data is all that was measured, as results.json keeps it.
type data struct {
	Machine   machine                `json:"machine"`
	Rows      map[string]*rowData    `json:"rows,omitempty"`
	Curves    map[string]*curveData  `json:"curves,omitempty"`
	Heartbeat *heartbeatData         `json:"heartbeat,omitempty"`
	Churn     map[string]*churnData  `json:"churn,omitempty"`
	Procs     []procsData            `json:"procs,omitempty"`
	Profiles  map[string]profileData `json:"profiles,omitempty"`
	GoBench   *goBenchData           `json:"gobench,omitempty"`
}

// taken says how a part was measured.
type taken struct {
	Day    string `json:"day"`
	Window string `json:"window"`
	Quick  bool   `json:"quick,omitempty"`
}

func (s *session) taken() taken {
	return taken{Day: time.Now().UTC().Format(time.DateOnly), Window: s.time.String(), Quick: s.quick}
}

// rowData has, for each server, the results of the rounds in their order.
type rowData struct {
	Taken   taken               `json:"taken"`
	Results map[string][]result `json:"results"`
}

// result is the line that eioload prints.
type result struct {
	Conns   int     `json:"conns"`
	Errors  int64   `json:"errors"`
	ErrText string  `json:"first_error,omitempty"`
	Stalled int     `json:"stalled,omitempty"`
	Ops     uint64  `json:"ops,omitempty"`
	OpsPerS float64 `json:"ops_per_s,omitempty"`

	ServerCPU     float64 `json:"srv_cpu_us_per_op,omitempty"`
	ClientCPU     float64 `json:"cli_cpu_us_per_op,omitempty"`
	ServerPercent float64 `json:"srv_cpu_pct,omitempty"`
	P50           float64 `json:"p50_us,omitempty"`
	P99           float64 `json:"p99_us,omitempty"`
	P999          float64 `json:"p999_us,omitempty"`

	Bytes       int64   `json:"bytes_per_session_pss,omitempty"`
	BytesGC     int64   `json:"bytes_per_session_pss_after_gc,omitempty"`
	OpenCPU     float64 `json:"open_srv_cpu_us_per_session,omitempty"`
	HoldPercent float64 `json:"hold_srv_cpu_pct,omitempty"`
}

// memory is in KiB for each session, after a collection if there was one.
func (r result) memory() float64 {
	if r.BytesGC != 0 {
		return float64(r.BytesGC) / 1024
	}
	return float64(r.Bytes) / 1024
}

type curveData struct {
	Taken  taken               `json:"taken"`
	Points map[string][]result `json:"points"` // of each server, by number of sessions
}

type heartbeatData struct {
	Taken    taken             `json:"taken"`
	Sessions int               `json:"sessions"`
	Interval string            `json:"interval"`
	Hold     string            `json:"hold"`
	Results  map[string]result `json:"results"`
}

type churnData struct {
	Taken    taken     `json:"taken"`
	Sessions []uint64  `json:"sessions"` // opened and closed in each window
	Rate     []float64 `json:"rate"`     // of them, for each second
	KiB      []int64   `json:"kib"`      // the process, after a collection: before, and after each window
	Errors   int64     `json:"errors,omitempty"`
}

type procsData struct {
	Taken   taken            `json:"taken"`
	Load    string           `json:"load"`
	Server  string           `json:"server"`
	Results map[int][]result `json:"results"` // by GOMAXPROCS
}

type profileData struct {
	Taken taken             `json:"taken"`
	Text  map[string]string `json:"text"`  // the first lines of each kind's list
	Locks string            `json:"locks"` // what of the mutex profile is this module's
}

type goBenchData struct {
	Taken taken         `json:"taken"`
	Lines []goBenchLine `json:"lines"`
}

type goBenchLine struct {
	Package, Name  string
	Procs          int
	Ns             float64
	Bytes, Allocs  int64
	HasAllocations bool
}

// load returns what results.json holds, or nothing when it is not there.
func load(file string) (*data, error) {
	d := &data{}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, d)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if d.Rows == nil {
		d.Rows = map[string]*rowData{}
	}
	if d.Curves == nil {
		d.Curves = map[string]*curveData{}
	}
	if d.Churn == nil {
		d.Churn = map[string]*churnData{}
	}
	if d.Profiles == nil {
		d.Profiles = map[string]profileData{}
	}
	return d, nil
}

func (d *data) save(file string) error {
	text, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
