package core

import (
	"bytes"
	"encoding/hex"
)

// appendJSONP wraps a payload in the call ___eio[index]("..."); for a script element to run.
func appendJSONP(dst []byte, index string, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	dst = append(dst, index...)
	dst = append(dst, "]("...)
	dst = appendJSONString(dst, payload)
	return append(dst, ");"...)
}

// digits returns the first digits of s, without what is between them: the index of a JSONP call comes from the
// client, goes into a script, and is kept.
func digits(s string) string {
	kept := make([]byte, 0, mostDigits)
	for i := 0; i < len(s) && len(kept) < mostDigits; i++ {
		if c := s[i]; '0' <= c && c <= '9' {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

// jsonpData returns the payload in the form field d, or nil if there is none.
func jsonpData(form []byte) []byte {
	for len(form) > 0 {
		var pair []byte
		pair, form, _ = bytes.Cut(form, []byte("&"))
		value, found := bytes.CutPrefix(pair, []byte("d="))
		if !found {
			continue
		}
		return unescapeNewlines(unescapeForm(value))
	}
	return nil
}

// unescapeForm decodes a form value. Unlike url.QueryUnescape, but like Node.js, it leaves invalid escapes
// as they are and decodes the rest.
func unescapeForm(value []byte) []byte {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(value):
			escaped, err := hex.AppendDecode(out, value[i+1:i+3])
			if err != nil {
				out = append(out, c)
				continue
			}
			out = escaped
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// unescapeNewlines undoes what the client does to survive the forms of old browsers: it sends a newline as
// backslash n, and backslash n as two backslashes and n. It works in place.
func unescapeNewlines(b []byte) []byte {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		switch {
		case bytes.HasPrefix(b[i:], []byte(`\\n`)):
			out = append(out, '\\', 'n')
			i += 2
		case bytes.HasPrefix(b[i:], []byte(`\n`)):
			out = append(out, '\n')
			i++
		default:
			out = append(out, b[i])
		}
	}
	return out
}
