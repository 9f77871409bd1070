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
