package core

import (
	"net/url"
	"strings"
)

// ServesPath reports whether a request path belongs to an endpoint mounted at mount: the mount path itself,
// with or without trailing slash, and everything below it. All adapters use this one test, whatever their
// routers let through. It expects the path as it was sent (escaped), compares case-sensitively, and accepts
// neither percent-encoding in place of the mount path nor dot segments after it.
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

// ServesRoute is ServesPath for the pattern of a route. What comes before its wildcard (the first "*") is
// the mount path. A parameter in the mount path (":name", possibly after a fixed beginning of its segment)
// matches any value that is not empty, is not a dot segment and hides no slash.
func ServesRoute(pattern, escapedPath string) bool {
	mount, _, _ := strings.Cut(pattern, "*")
	mount = strings.TrimRight(mount, "/")
	for strings.Contains(mount, ":") {
		var want, got string
		want, mount = cutSegment(mount)
		got, escapedPath = cutSegment(escapedPath)
		fixed, _, isParameter := strings.Cut(want, ":")
		value, ok := strings.CutPrefix(got, fixed)
		if !ok || isParameter && !isParameterValue(value) || !isParameter && value != "" {
			return false
		}
	}
	return ServesPath(mount, escapedPath)
}

// cutSegment splits "/a/b" into "/a" and "/b".
func cutSegment(path string) (segment, rest string) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[:i], path[i:]
		}
	}
	return path, ""
}

func isParameterValue(segment string) bool {
	value, err := url.PathUnescape(segment)
	return err == nil && value != "" && value != "." && value != ".." && !strings.Contains(value, "/")
}

// SentPath returns a URL's path as it was sent. URL.EscapedPath alone would hide what the client has
// encoded if the client left something else unencoded that should have been encoded.
func SentPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}
