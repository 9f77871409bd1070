package eiofiber

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/goengineio/engineio/core"
)

// target returns path and raw query of a request as they were sent: Fiber's own may be rewritten.
// They are valid until the handler returns.
func target(c *fiber.Ctx) (path, query string) {
	return splitTarget(utils.UnsafeString(c.Request().Header.RequestURI()))
}

func splitTarget(uri string) (path, query string) {
	if !strings.HasPrefix(uri, "/") { // scheme and host come first, as proxies are asked
		_, rest, _ := strings.Cut(uri, "://")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			uri = rest[i:]
		}
	}
	uri, _, _ = strings.Cut(uri, "#")
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// serves reports whether a path, as it was sent, belongs to a route: see core.ServesPath. The
// route's wildcard at the end does not count, and its parameters match any segment.
func serves(route, path string) bool {
	mount := strings.TrimRight(route, "*+")
	if strings.ContainsAny(mount, `:*+\`) {
		var ok bool
		if mount, ok = fill(mount, path); !ok {
			return false
		}
	}
	return core.ServesPath(mount, path)
}

// fill puts the path's segments in the places of the route's parameters.
func fill(route, path string) (mount string, ok bool) {
	segments, sent := strings.Split(strings.TrimRight(route, "/"), "/"), strings.Split(path, "/")
	if len(sent) < len(segments) {
		return "", false
	}
	for i, segment := range segments {
		switch {
		case strings.Contains(segment, `\`):
			segments[i] = fiber.RemoveEscapeChar(segment)
		case !strings.ContainsAny(segment, ":*+"):
		case sent[i] == "" || !core.ServesPath("/", "/"+sent[i]): // a dot segment
			return "", false
		default:
			segments[i] = sent[i]
		}
	}
	return strings.Join(segments, "/"), true
}

// cleanPath returns the path with a leading and without a trailing slash.
func cleanPath(path string) string {
	if path == "" {
		path = DefaultPath
	}
	return "/" + strings.Trim(path, "/")
}
