// Package permessage has what both WebSocket engines need of permessage-deflate (RFC 7692), whoever
// compresses.
package permessage

import (
	"math"
	"strings"
)

// WireLimit is how many bytes a compressed message may have on the wire when it may have limit inflated.
// Codes of fixed length, the worst that an encoder does to random data, add an eighth.
func WireLimit(limit int64) int64 {
	return limit + min(limit/8+1024, math.MaxInt64-limit)
}

// Negotiate returns the answer to the first offer of permessage-deflate that can be
// accepted, "" if there is none. The values are those of Sec-WebSocket-Extensions. It takes time in
// proportion to their length, whatever they hold, and no memory.
//
// Neither side keeps a context between messages. An offer is declined when it wants a smaller
// window than 32 KiB for what the server sends, which compress/flate cannot do, and when it has
// parameters that are unknown, repeated or malformed. Commas and semicolons inside quoted strings
// are taken for separators: the extension at hand has no use for them, and others are not spoken.
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

// acceptable checks an offer's parameters. The window is what the answer must add for them.
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

// isWindow reports whether value is a number from 8 to 15, as RFC 7692, 7.1.2 wants it written.
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
