package core

import "strings"

// ServesPath reports whether a request path belongs to an endpoint mounted at mount: the mount
// path itself, with or without trailing slash, and everything below it. It is the one path test of
// all adapters, whatever their routers let through: it wants the path as it was sent (escaped),
// compares case-sensitively, and takes neither percent-encoding in place of the mount path nor dot
// segments after it.
func ServesPath(mount, escapedPath string) bool {
	rest, ok := strings.CutPrefix(escapedPath, strings.TrimRight(mount, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if len(segment) > len("%2e%2e") || segment == "" {
			continue
		}
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return false
		}
	}
	return true
}
