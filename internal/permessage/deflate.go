// Package permessage has the parts of permessage-deflate (RFC 7692) that both WebSocket engines need,
// independently of the compression library.
package permessage

import (
	"math"
	"strings"
)

// WireLimit returns how many bytes a compressed message may have on the wire if it may have limit bytes
// inflated. The worst that an encoder does to random data is to use fixed-length codes, which add an
// eighth.
func WireLimit(limit int64) int64 {
	return limit + min(limit/8+1024, math.MaxInt64-limit)
}

// Negotiate returns the answer to the first acceptable offer of permessage-deflate, or "" if there is
// none. The values are those of Sec-WebSocket-Extensions. Whatever they hold, it takes time proportional
// to their length, and memory that does not depend on it.
//
// Neither side keeps a context between messages. An offer is declined if it asks for a window smaller than
// 32 KiB for what the server sends, which compress/flate cannot do, or if it has unknown, repeated or
// malformed parameters. Commas and semicolons inside quoted strings are taken for separators:
// permessage-deflate does not use them, and other extensions are not supported.
func Negotiate(values []string) string {
	for _, value := range values {
		for offer := range strings.SplitSeq(value, ",") {
			name, parameters, more := strings.Cut(offer, ";")
			if trim(name) != "permessage-deflate" {
				continue
			}
			if window, ok := acceptable(parameters, more); ok {
				return "permessage-deflate; server_no_context_takeover; client_no_context_takeover" + window
			}
		}
	}
	return ""
}

// acceptable checks an offer's parameters. window is what the answer must add because of them.
func acceptable(parameters string, more bool) (window string, ok bool) {
	var seen [4]bool
	once := func(i int) bool {
		first := !seen[i]
		seen[i] = true
		return first
	}
	for more {
		var parameter string
		parameter, parameters, more = strings.Cut(parameters, ";")
		name, value, valued := strings.Cut(parameter, "=")
		name, value = trim(name), unquote(trim(value))
		switch {
		case name == "server_no_context_takeover" && !valued && once(0):
		case name == "client_no_context_takeover" && !valued && once(1):
		case name == "server_max_window_bits" && value == "15" && once(2):
			window = "; server_max_window_bits=15"
		case name == "client_max_window_bits" && (!valued || isWindow(value)) && once(3):
			// Any window can be inflated.
		default:
			return "", false
		}
	}
	return window, true
}

// isWindow reports whether value is a number from 8 to 15, written as RFC 7692, section 7.1.2, requires.
func isWindow(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

func trim(text string) string { return strings.Trim(text, " \t") }

func unquote(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}
