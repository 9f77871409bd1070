package core

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// A compressor is a pool of writers for one content encoding.
type compressor struct {
	name string
	pool sync.Pool
}

type resetWriter interface {
	io.WriteCloser
	Reset(io.Writer)
}

// newCompressors returns the compressors in the server's order of preference.
func newCompressors() []*compressor {
	return []*compressor{
		{name: "gzip", pool: sync.Pool{New: func() any { return gzip.NewWriter(nil) }}},
		{name: "deflate", pool: sync.Pool{New: func() any { return zlib.NewWriter(nil) }}},
	}
}

// compressBody compresses a poll's answer if it is long enough and the client accepts it.
func (s *Server) compressBody(x Exchange, body []byte) []byte {
	if len(body) < s.cfg.HTTPCompressionThreshold || x.ResponseHeader("Content-Encoding") != "" || negotiated(x.ResponseHeaders()) {
		return body
	}
	x.AddHeader("Vary", "Accept-Encoding")
	c := s.acceptedCompressor(x.Header("Accept-Encoding"))
	if c == nil {
		return body
	}
	w := c.pool.Get().(resetWriter)
	defer c.pool.Put(w)
	var out bytes.Buffer
	out.Grow(len(body) / 2)
	w.Reset(&out)
	_, _ = w.Write(body) // a bytes.Buffer does not fail
	_ = w.Close()
	x.SetHeader("Content-Encoding", c.name)
	return out.Bytes()
}

// negotiated reports whether middleware in front chooses the encoding. Not all middleware sets
// Content-Encoding beforehand: Echo's Gzip shows itself only by Vary, and compresses even what is already
// compressed.
func negotiated(header http.Header) bool {
	for _, value := range header["Vary"] {
		if hasToken(value, "Accept-Encoding") {
			return true
		}
	}
	return false
}

// acceptedCompressor chooses by q-value, then prefers exact names to "*", then follows the client's order.
func (s *Server) acceptedCompressor(header string) *compressor {
	var best *compressor
	var bestQ float64
	var bestExact bool
	bestAt := 0
	for _, c := range s.compressors {
		q, exact, at := acceptance(header, c.name)
		if q <= 0 {
			continue
		}
		if best == nil || q > bestQ || q == bestQ && (exact && !bestExact || exact == bestExact && at < bestAt) {
			best, bestQ, bestExact, bestAt = c, q, exact, at
		}
	}
	return best
}

// acceptance returns what an Accept-Encoding header says about one encoding: its q-value, whether it is
// listed by name, and its position in the list.
func acceptance(header, name string) (q float64, exact bool, at int) {
	i := -1
	for part := range strings.SplitSeq(header, ",") {
		i++
		coding, parameters, _ := strings.Cut(part, ";")
		coding = strings.TrimSpace(coding)
		named := strings.EqualFold(coding, name)
		if !named && (coding != "*" || exact) || named && exact {
			continue
		}
		q, exact, at = qValue(parameters), named, i
	}
	return q, exact, at
}

// qValue reads the q parameter; a malformed one counts as 0, a missing one as 1.
func qValue(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) { // it may be NaN
			return 0
		}
		return q
	}
	return 1
}
