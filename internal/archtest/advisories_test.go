package archtest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// An advisory says which version of a module first has the fix.
type advisory struct {
	module string

	// fixed ends with the first version that has the fix. Before it come versions with a backport, each
	// of which counts only for its own minor version.
	fixed []string

	ids string
}

// goAdvisories are the advisories known when they were last looked up, for modules that are required here
// or are likely to be one day. `make vuln` queries the database itself.
var goAdvisories = []advisory{
	{"github.com/gin-contrib/cors", []string{"v1.6.0"}, "CVE-2019-25211: wildcards in origins"},
	{"github.com/gin-gonic/gin", []string{"v1.6.0"}, "CVE-2020-36567: lines injected into the log"},
	{"github.com/gin-gonic/gin", []string{"v1.7.7"}, "CVE-2020-28483: forged X-Forwarded-For"},
	{"github.com/gin-gonic/gin", []string{"v1.9.1"}, "CVE-2023-29401: file names in Content-Disposition"},
	{"github.com/gofiber/fiber/v2", []string{"v2.49.2"}, "CVE-2023-41338: IsFromLocal believes X-Forwarded-For"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.1"}, "CVE-2024-25124: CORS wildcard with credentials"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.5"}, "CVE-2024-38513: session ids chosen by the client"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.11"}, "CVE-2025-66630, GHSA-68rr-p4fp-j59v: predictable UUIDs"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.12"}, "CVE-2026-25882, GHSA-mrq8-rjmw-wpq3: too many route parameters"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.13"}, "CVE-2026-42554: script in AutoFormat"},
	{"github.com/gofiber/fiber/v2", []string{"v2.52.14"}, "CVE-2026-45045, GHSA-gcfq-8gqf-4876: forged X-Real-IP"},
	{"github.com/gofiber/fiber/v3", []string{"v3.1.0"}, "CVE-2026-25891, CVE-2026-25899: files read on Windows, memory claimed by a cookie"},
	{"github.com/gorilla/websocket", []string{"v1.4.1"}, "CVE-2020-27813, GHSA-jf24-p9p9-4rjh: overflow of frame lengths"},
	{"github.com/klauspost/compress", []string{"v1.18.7"}, "GHSA-259r-337f-4rfw, GO-2026-5841: reads out of bounds in s2"},
	{"github.com/labstack/echo/v4", []string{"v4.9.0"}, "CVE-2022-40083: open redirect"},
	{"github.com/labstack/echo/v4", []string{"v4.15.3"}, "CVE-2026-55677, GHSA-vfp3-v2gw-7wfq: %2F gets past routes"},
	{"github.com/labstack/echo/v5", []string{"v5.0.3"}, "CVE-2026-25766, GHSA-pgvm-wxw2-hrv9: backslashes in paths"},
	{"github.com/labstack/echo/v5", []string{"v5.2.0"}, "CVE-2026-55677, GHSA-vfp3-v2gw-7wfq: %2F gets past routes"},
	{"github.com/prometheus/client_golang", []string{"v1.11.1"}, "CVE-2022-21698: a label for every method"},
	{"github.com/quic-go/quic-go", []string{"v0.37.7", "v0.38.2", "v0.39.4", "v0.40.1"}, "CVE-2023-49295: flood of path challenges"},
	{"github.com/quic-go/quic-go", []string{"v0.42.0"}, "CVE-2024-22189: connection ids"},
	{"github.com/quic-go/quic-go", []string{"v0.48.2"}, "CVE-2024-53259: forged ICMP"},
	{"github.com/quic-go/quic-go", []string{"v0.49.1", "v0.54.1"}, "CVE-2025-59530: panic after the handshake"},
	{"github.com/quic-go/quic-go", []string{"v0.57.0"}, "CVE-2025-64702: expansion of QPACK headers"},
	{"github.com/quic-go/quic-go", []string{"v0.59.1"}, "CVE-2026-40898, GHSA-vvgj-x9jq-8cj9: expansion of QPACK trailers"},
	{"github.com/quic-go/webtransport-go", []string{"v0.10.0"}, "CVE-2026-21434, CVE-2026-21435, CVE-2026-21438: memory, and closing that blocks"},
	{"github.com/quic-go/webtransport-go", []string{"v0.11.1"}, "CVE-2026-57497: unknown capsules are buffered"},
	{"github.com/rs/cors", []string{"v1.5.0"}, "CVE-2018-20744: wildcard with credentials"},
	{"github.com/rs/cors", []string{"v1.11.0"}, "CVE-2025-47908, GHSA-mh55-gqvf-xfwm: thousands of commas in a preflight request"},
	{"github.com/valyala/fasthttp", []string{"v1.34.0"}, "CVE-2022-21221: backslashes in paths"},
	{"github.com/valyala/fasthttp", []string{"v1.70.0"}, "GO-2026-4950: paths that are decoded twice"},
	{"go.mongodb.org/mongo-driver/v2", []string{"v2.4.2"}, "CVE-2026-2303: reads out of bounds in GSSAPI"},
	{"golang.org/x/crypto", []string{"v0.45.0"}, "CVE-2025-47914, CVE-2025-58181: memory and panics in ssh"},
	{"golang.org/x/crypto", []string{"v0.52.0"}, "CVE-2026-46595, CVE-2026-39834 and others: ssh"},
	{"golang.org/x/crypto", []string{"v0.55.0"}, "CVE-2026-56854: source addresses in ssh"},
	{"golang.org/x/crypto", []string{"v0.56.0"}, "CVE-2026-56855, CVE-2026-78662"},
	{"golang.org/x/mod", []string{"v0.40.0"}, "CVE-2026-56864, CVE-2026-56865: modules missing from the checksum log"},
	{"golang.org/x/net", []string{"v0.4.0"}, "CVE-2022-41717: memory for HTTP/2 headers"},
	{"golang.org/x/net", []string{"v0.17.0"}, "CVE-2023-39325, CVE-2023-44487: HTTP/2 rapid reset"},
	{"golang.org/x/net", []string{"v0.23.0"}, "CVE-2023-45288: HTTP/2 CONTINUATION flood"},
	{"golang.org/x/net", []string{"v0.51.0"}, "CVE-2026-27141: HTTP/2 frames that panic"},
	{"golang.org/x/net", []string{"v0.53.0"}, "CVE-2026-33814: endless loop on HTTP/2 settings"},
	{"golang.org/x/net", []string{"v0.55.0"}, "CVE-2026-39821 and others: idna, html"},
	{"golang.org/x/net", []string{"v0.56.0"}, "CVE-2026-46600: DNS records that panic"},
	{"golang.org/x/sys", []string{"v0.44.0"}, "CVE-2026-39824: overflow on Windows"},
	{"golang.org/x/text", []string{"v0.3.8"}, "CVE-2022-32149: Accept-Language"},
	{"golang.org/x/text", []string{"v0.39.0"}, "CVE-2026-56852: endless loop in norm"},
	{"google.golang.org/protobuf", []string{"v1.29.1"}, "CVE-2023-24535: panic in prototext"},
	{"google.golang.org/protobuf", []string{"v1.33.0"}, "CVE-2024-24786: endless loop in protojson"},
}

// npmAdvisories are the same for npm packages: those that serve pages, or are the other end in tests.
var npmAdvisories = []advisory{
	{"cookie", []string{"v0.7.0"}, "CVE-2024-47764, GHSA-pxg6-pf52-xh8x: injection into cookies"},
	{"engine.io", []string{"v3.6.1", "v6.6.7"}, "CVE-2022-41940, CVE-2023-31125, CVE-2026-59725: crashes, connections held open"},
	{"socket.io", []string{"v2.5.1", "v4.6.2"}, "CVE-2024-38355: crash"},
	{"socket.io-parser", []string{"v3.3.6", "v3.4.5", "v4.2.7"}, "CVE-2026-33151, CVE-2026-69185: memory for attachments"},
	{"ws", []string{"v5.2.3", "v6.2.2", "v7.4.6"}, "CVE-2021-32640: slow Sec-WebSocket-Protocol"},
	{"ws", []string{"v5.2.4", "v6.2.3", "v7.5.10", "v8.17.1"}, "CVE-2024-37890, GHSA-3h5v-q93c-6h6q: crash on many headers"},
	{"ws", []string{"v5.2.5", "v6.2.4", "v7.5.11", "v8.21.0"}, "CVE-2026-45736, CVE-2026-48779, GHSA-96hv-2xvq-fx4p: memory"},
	{"xmlhttprequest-ssl", []string{"v1.6.1"}, "CVE-2021-31597: certificates are not checked"},
	{"xmlhttprequest-ssl", []string{"v1.6.2"}, "CVE-2020-28502: code injection"},
}

// excused has packages that may stay at a version with advisories, by lock file and place, and the reason.
// An entry that is no longer needed fails.
var excused = map[string]string{
	"integration_test/js/package-lock.json node_modules/eioc4/node_modules/ws": "engine.io-client 4 asks for ws 7.4; it only ever talks to the server under test",
	"integration_test/js/package-lock.json node_modules/eioc5/node_modules/ws": "engine.io-client 5 asks for ws 7.4; it only ever talks to the server under test",
}

func TestGoAdvisories(t *testing.T) {
	for _, path := range filesNamed(t, "go.mod") {
		if strings.HasPrefix(filepath.ToSlash(path), "bench/floor/") {
			continue // the floor servers stay as they were measured; they serve loopback only
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		complaints, err := judgeGoMod(path, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range complaints {
			t.Error(complaint)
		}
	}
}

func TestNPMAdvisories(t *testing.T) {
	used := map[string]bool{}
	for _, path := range filesNamed(t, "package-lock.json") {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		complaints, err := judgeLock(path, data)
		if err != nil {
			t.Fatal(err)
		}
		for place, complaint := range complaints {
			if excused[place] == "" {
				t.Errorf("%s:%s", place, complaint)
			}
			used[place] = true
		}
	}
	for place := range excused {
		if !used[place] {
			t.Errorf("%s needs no excuse any more", place)
		}
	}
}

// TestAdvisories checks the tables, and that safe and unsafe versions are told apart.
func TestAdvisories(t *testing.T) {
	for _, a := range slices.Concat(goAdvisories, npmAdvisories) {
		for _, v := range a.fixed {
			if !semver.IsValid(v) {
				t.Errorf("%s: %q is not a version", a.module, v)
			}
		}
		if a.ids == "" || !semver.IsValid(a.fixed[0]) || !slices.IsSortedFunc(a.fixed, semver.Compare) {
			t.Errorf("%s %v: an advisory has an id, and versions in ascending order", a.module, a.fixed)
		}
	}
	ws := advisory{"ws", []string{"v6.2.4", "v7.5.11", "v8.21.0"}, "x"}
	for version, safe := range map[string]bool{
		"v8.21.0": true, "v8.21.3": true, "v9.0.0": true, "v7.5.11": true, "v7.5.14": true, "v6.2.4": true,
		"v8.20.9": false, "v7.5.10": false, "v7.4.6": false, "v6.2.3": false, "v5.2.9": false, "v8.21.0-beta.1": false,
		"v8.20.1-0.20260101000000-0123456789ab": false, "v8.21.1-0.20260101000000-0123456789ab": true, "v0.0.0-20260101000000-0123456789ab": false, "": false,
	} {
		if got := ws.has(version); got != safe {
			t.Errorf("%q is taken for safe: %v", version, got)
		}
	}

	const old = "module m\nrequire golang.org/x/net v0.50.0\n"
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"fine":                  {"module m\nrequire golang.org/x/net v0.999.0\n", 0},
		"old":                   {old, 4},
		"replaced":              {"module m\nreplace example.com/a => example.com/b v0.1.0\n", 1},
		"replaced by a folder":  {"module m\nreplace example.com/a => ../..\n", 0},
		"by one that is listed": {"module m\nreplace golang.org/x/net => ../net\n", 1},
		"by one from outside":   {"module m\nreplace example.com/a => ../../../a\n", 1},
	} {
		if got, err := judgeGoMod("some/folder/go.mod", []byte(tt.text)); err != nil || len(got) != tt.want {
			t.Errorf("%s: got %d complaints, want %d: %q, %v", name, len(got), tt.want, got, err)
		}
	}
	for text, want := range map[string]int{
		`{"packages": {"": {}, "node_modules/ws": {"version": "8.21.0"}}}`:                                       0,
		`{"packages": {"node_modules/ws": {"version": "8.20.1"}}}`:                                               1,
		`{"packages": {"node_modules/a/node_modules/ws": {"version": "7.4.6"}}}`:                                 1,
		`{"packages": {"node_modules/alias": {"name": "ws", "version": "7.4.6"}}}`:                               1,
		`{"packages": {"node_modules/@a/ws": {"version": "1.0.0"}, "node_modules/wss": {"version": "1.0.0"}}}`:   0,
		`{"packages": {"node_modules/cookie": {"version": "0.6.0"}, "node_modules/ws": {"version": "8.17.0"} }}`: 2,
	} {
		if got, err := judgeLock("package-lock.json", []byte(text)); err != nil || len(got) != want {
			t.Errorf("%s: got %d complaints, want %d: %q, %v", text, len(got), want, got, err)
		}
	}
	if _, err := judgeLock("package-lock.json", []byte(`{"lockfileVersion": 1, "dependencies": {}}`)); err == nil {
		t.Error("a lock file without packages passes")
	}
}

// has reports whether a version has the fix. An invalid version has not.
func (a advisory) has(version string) bool {
	return semver.Compare(version, a.fixed[len(a.fixed)-1]) >= 0 || slices.ContainsFunc(a.fixed, func(fixed string) bool {
		return semver.MajorMinor(version) == semver.MajorMinor(fixed) && semver.Compare(version, fixed) >= 0
	})
}

// judgeGoMod returns complaints about the modules that a go.mod requires and that lack a fix, and about
// those replaced by anything but a folder of this repository. name is the path of the go.mod from root.
func judgeGoMod(name string, data []byte) (complaints []string, err error) {
	f, err := modfile.Parse(name, data, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range f.Require {
		for _, a := range goAdvisories {
			if r.Mod.Path == a.module && !a.has(r.Mod.Version) {
				complaints = append(complaints, fmt.Sprintf("%s: %s %s lacks the fix in %s of %s", name, r.Mod.Path, r.Mod.Version, strings.Join(a.fixed, ", "), a.ids))
			}
		}
	}
	for _, r := range f.Replace {
		listed := slices.ContainsFunc(goAdvisories, func(a advisory) bool { return a.module == r.Old.Path })
		folder := filepath.Join(filepath.Dir(name), filepath.FromSlash(r.New.Path))
		if listed || r.New.Version != "" || !filepath.IsLocal(folder) {
			complaints = append(complaints, fmt.Sprintf("%s: %s is replaced, and no advisory is known of what replaces it", name, r.Old.Path))
		}
	}
	return complaints, nil
}

// judgeLock returns complaints about the packages of a package-lock.json that lack a fix, by file and place.
func judgeLock(name string, data []byte) (complaints map[string]string, err error) {
	var lock struct {
		Packages map[string]struct{ Name, Version string }
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if lock.Packages == nil {
		return nil, fmt.Errorf("%s has no packages: its format is not that of npm 7 and later", name)
	}
	complaints = map[string]string{}
	for place, p := range lock.Packages {
		if p.Name == "" {
			parts := strings.Split(place, "node_modules/")
			p.Name = parts[len(parts)-1]
		}
		for _, a := range npmAdvisories {
			if p.Name == a.module && !a.has("v"+p.Version) {
				complaints[name+" "+place] += fmt.Sprintf("\n%s %s lacks the fix in %s of %s", p.Name, p.Version, strings.Join(a.fixed, ", "), a.ids)
			}
		}
	}
	return complaints, nil
}

// filesNamed lists the files of the repository with this name, as slash-separated paths below root.
func filesNamed(t *testing.T, name string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "artifacts"}, entry.Name()) {
			return filepath.SkipDir
		}
		if entry.Name() == name {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			paths = append(paths, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Errorf("there is no %s to check", name)
	}
	return paths
}
