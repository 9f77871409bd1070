package core

import "testing"

func TestServesPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/engine.io": true, "/engine.io/": true, "/engine.io/x": true, "/engine.io/x/y": true, "/engine.io//": true,
		"/engine.io/a%20b": true,
		"/engine.iox":      false, "/ENGINE.IO/": false, "/%65ngine.io/": false, "/engine%2Eio/": false, "/engine.io%2f": false,
		"//engine.io/": false, "/x/../engine.io/": false, "/engine.io/../": false, "/engine.io/..": false,
		"/engine.io/%2e%2E/x": false, "/engine.io/.%2e": false, "/engine.io/.": false, "/": false, "": false, "/engine.i": false,
	} {
		for _, mount := range []string{"/engine.io", "/engine.io/"} {
			if got := ServesPath(mount, path); got != want {
				t.Errorf("ServesPath(%q, %q) = %v", mount, path, got)
			}
		}
	}
}
func TestServesRoute(t *testing.T) {
	for _, tt := range []struct {
		pattern, sent string
		want          bool
	}{
		{"/engine.io/*any", "/engine.io", true},
		{"/engine.io/", "/engine.io/x", true},
		{"/*any", "/whatever/it/is", true},
		{"/*any", "/whatever/..", false},
		{"/:a", "/x/y", true},
		{"/:a/*any", "/x", true},
		{"/:a/*any", "/", false},
		{"/:a/*any", "", false},
		{"/:a/*any", "*", false},
		{"/a/:b/c/:d/e", "/a/b/c/d/e/", true},
		{"/a/:b/c/:d/e", "/a/b/x/d/e/", false},
		{"/a/:b/c/:d/e", "/a/b/c/d", false},
		{"/a/:b/c/:d/e", "/a/b", false},
		{"/a/:b/c/:d/e", "/ax/b/c/d/e", false},
		{"/v:version/e", "/v1/e", true},
		{"/v:version/e", "/v/e", false},
		{"/v:version/e", "/w1/e", false},
		{"/v:version/e", "/v../e", false},
		{"/:a/e", "/%zz/e", false},
		{"/:a/e", "/%2f/e", false},
	} {
		if got := ServesRoute(tt.pattern, tt.sent); got != tt.want {
			t.Errorf("%s for %q: %v", tt.pattern, tt.sent, got)
		}
	}
}
