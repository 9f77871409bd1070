package eiofiber

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/goengineio/engineio/core"
)

// target returns the path and raw query of a request as they were sent; those that Fiber returns may
// have been rewritten. They are valid until the handler returns.
func target(c *fiber.Ctx) (path, query string) {
	return splitTarget(utils.UnsafeString(c.Request().Header.RequestURI()))
}

func splitTarget(uri string) (path, query string) {
	if !strings.HasPrefix(uri, "/") { // scheme and host come first, as in requests to a proxy
		_, rest, _ := strings.Cut(uri, "://")
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			uri = rest[i:]
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// serves reports whether a path, as it was sent, belongs to a route. A route with escaped characters
// (`\:`) is taken to have no parameters.
func serves(route, path string) bool {
	route = strings.TrimRight(route, "*+")
	if strings.Contains(route, `\`) {
		return core.ServesPath(fiber.RemoveEscapeChar(route), path)
	}
	return core.ServesRoute(route, path)
}

// cleanPath returns the path with a leading slash and without a trailing one.
func cleanPath(path string) string {
	if path == "" {
		path = DefaultPath
	}
	return "/" + strings.Trim(path, "/")
}
