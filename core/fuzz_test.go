package core

import (
	"bytes"
	"encoding/json"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzQuery compares with the standard library wherever that accepts the query.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"", "EIO=4&transport=polling", "EIO=3&transport=polling&b64=1&j=0&t=abc", "transport=polling&transport=websocket",
		"EIO=4&EIO=3", "sid=a%20b&sid=c+d", "%74ransport=polling", "transport=%zz", "j&b64", "b64=&b64=1&b64=", "=&==&&", "a;b=c",
		"transport=polling&EIO=4&sid=abcdefghijklmnopqrst&j=12%5D", "sid=%00", "EIO=04", "EIO= 4",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p := parseParams(query)
		if again := parseParams(query + "&"); again != p {
			t.Fatalf("%q: %+v, and with an empty pair behind it %+v", query, p, again)
		}
		// Whatever comes before it, the last value wins, and nothing else changes.
		want := p
		want.transport, want.sid, want.eio, want.j, want.jsonp = "websocket", "x", "4", "7", true
		if got := parseParams(query + "&transport=websocket&sid=x&EIO=4&j=7"); got != want {
			t.Fatalf("%q with more behind it: %+v, want %+v", query, got, want)
		}
		if (p.revision() == 4) != (p.eio == "4") {
			t.Fatalf("%q: revision %d", p.eio, p.revision())
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		last := func(key string) string {
			if v := values[key]; len(v) > 0 {
				return v[len(v)-1]
			}
			return ""
		}
		want = params{
			transport: last("transport"), sid: last("sid"), eio: last("EIO"),
			j: last("j"), jsonp: values.Has("j"), base64: last("b64") != "",
		}
		for _, known := range []string{"transport", "sid", "EIO", "j", "b64"} {
			delete(values, known)
		}
		want.more = len(values) > 0
		if p != want {
			t.Fatalf("%q: %+v, want %+v", query, p, want)
		}
	})
}

// Invalid escapes stay as they are; the expectations are those of Node's querystring.parse.
func TestUnescapeForm(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a%20b+c": "a b c", "100%": "100%", "%zz%41": "%zzA", "a%4": "a%4", "%e2%82%acx%": "€x%", "+%2B%": " +%", "%%41": "%A", "%4%41": "%4A",
	} {
		if got := string(unescapeForm([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzJSONPBody gives jsonpData any body, and then the body that a client would make of any text.
func FuzzJSONPBody(f *testing.F) {
	for _, body := range []string{
		"", "d=", "d=4a", "x=1&d=4%0A", `d=4\n`, `d=4\\n`, `d=4\\\n`, "d=%zz", "d=a+b&d=c", "dd=1", "&&", "d", `d=4a\`, "d=%5C%5Cn%5Cn",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if data := jsonpData(bytes.Clone(body)); len(data) > len(body) {
			t.Fatalf("%q became longer: %q", body, data)
		}
		if want, err := url.QueryUnescape(string(body)); err == nil && string(unescapeForm(body)) != want {
			t.Fatalf("%q: unescaped %q, want %q", body, unescapeForm(body), want)
		}
		// A backslash before a newline is lost on the way: the client's escaping is ambiguous there.
		text := strings.ReplaceAll(string(body), "\\\n", "\\ ")
		form := "x=1&d=" + url.QueryEscape(escapeNewlines(text)) + "&y=2"
		if got := jsonpData([]byte(form)); string(got) != text {
			t.Fatalf("%q went as %q and became %q", text, form, got)
		}
	})
}

// escapeNewlines is what a JSONP client does to a payload before it goes into a form.
func escapeNewlines(text string) string {
	text = strings.ReplaceAll(text, `\n`, "\\\n")
	return strings.ReplaceAll(text, "\n", `\n`)
}

var jsonpAnswer = regexp.MustCompile(`\A___eio\[[0-9]*\]\("(?s:.*)"\);\z`)

// FuzzJSONPAnswer checks that an answer is a script that does nothing but hand over the payload.
func FuzzJSONPAnswer(f *testing.F) {
	for _, payload := range []string{
		"", "4hello", "4</script><script>alert(1)//", "4\u2028\u2029", "4\"\\", "4\r\n\t\x00\x7f", "4\xff\xe2\x80", "4<!--", "4&lt;", "4😀",
	} {
		f.Add([]byte(payload), "0")
		f.Add([]byte(payload), "0];alert(1)//[٣")
	}
	f.Fuzz(func(t *testing.T, payload []byte, index string) {
		script := appendJSONP(nil, digits(index), payload)
		if !jsonpAnswer.Match(script) || !utf8.Valid(script) {
			t.Fatalf("%q with index %q became %q", payload, index, script)
		}
		for _, bad := range []string{"<", ">", "&", "\u2028", "\u2029"} {
			if bytes.Contains(script, []byte(bad)) {
				t.Fatalf("%q became %q, which has a %q", payload, script, bad)
			}
		}
		if i := bytes.IndexFunc(script, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			t.Fatalf("%q became %q, which has a control character", payload, script)
		}
		// A JSON string without U+2028 and U+2029 is a JavaScript string of the same meaning.
		begin := bytes.IndexByte(script, '(') + 1
		var got string
		if err := json.Unmarshal(script[begin:len(script)-2], &got); err != nil {
			t.Fatalf("%q became %q: %v", payload, script, err)
		}
		if want := string([]rune(string(payload))); got != want {
			t.Fatalf("%q became %q, which means %q", payload, script, got)
		}
	})
}

var qvalue = regexp.MustCompile(`\A(0|1)?(\.[0-9]*)?\z`)

// FuzzAcceptEncoding checks that the chosen encoding is one that the client accepts: named, or covered by
// "*", and with a weight that is a number above 0.
func FuzzAcceptEncoding(f *testing.F) {
	for _, header := range []string{
		"", "gzip", "gzip, deflate, br", "deflate, gzip;q=1.0, *;q=0.5", "*", "*;q=0", "gzip;q=0", "gzip;q=0, *", "GZIP ; Q = 0.5 ; x=y",
		"identity", "gzip;q=2", "gzip;q=NaN", "gzip;q=-1", "gzip;q=", "gzip;q", "gzip;q=1e-9", ",,;;,", "gzip;q=0.001,deflate;q=.5", "gzip, gzip;q=0",
	} {
		f.Add(header)
	}
	s := &Server{compressors: newCompressors()}
	f.Fuzz(func(t *testing.T, header string) {
		weights := map[string]float64{}
		for _, c := range s.compressors {
			q, _, _ := acceptance(header, c.name)
			if !(q >= 0 && q <= 1) {
				t.Fatalf("%q: %s has the weight %v", header, c.name, q)
			}
			if weights[c.name] = weight(header, c.name); weights[c.name] != q && weights[c.name] >= 0 {
				t.Fatalf("%q: %s has the weight %v, want %v", header, c.name, q, weights[c.name])
			}
		}
		chosen := s.acceptedCompressor(header)
		for _, c := range s.compressors {
			switch w := weights[c.name]; {
			case w < 0: // in a form that RFC 9110 does not allow
			case chosen == nil && w > 0:
				t.Fatalf("%q: nothing was chosen, though %s has the weight %v", header, c.name, w)
			case chosen == c && w == 0:
				t.Fatalf("%q: %s was chosen", header, c.name)
			case chosen != nil && chosen != c && weights[chosen.name] >= 0 && w > weights[chosen.name]:
				t.Fatalf("%q: %s was chosen, %s has more weight", header, chosen.name, c.name)
			}
		}
	})
}

// weight is the weight of an encoding by RFC 9110, or -1 if the header violates that or contradicts itself.
func weight(header, name string) float64 {
	found := 0.0
	named, covered := false, false
	for _, element := range strings.Split(header, ",") {
		coding, rest, _ := strings.Cut(element, ";")
		coding = strings.TrimSpace(coding)
		exact := strings.EqualFold(coding, name)
		switch {
		case exact && named, coding == "*" && covered:
			return -1
		case !exact && coding != "*":
			continue
		}
		named, covered = named || exact, covered || !exact
		if !exact && named {
			continue
		}
		found = 1
		if rest == "" {
			continue
		}
		parameter := strings.TrimSpace(rest)
		if len(parameter) < 3 || !strings.EqualFold(parameter[:2], "q=") || !qvalue.MatchString(parameter[2:]) {
			found = -1
			continue
		}
		q, err := strconv.ParseFloat(parameter[2:], 64)
		if err != nil || q > 1 {
			q = 0
		}
		found = q
	}
	return found
}

// FuzzServesPath: what is served lies under the mount path for every reader of the path, and what lies
// there without any tricks is served.
func FuzzServesPath(f *testing.F) {
	for _, sent := range []string{
		"/engine.io", "/engine.io/", "/engine.io/x", "/engine.iox", "/engine.io//", "/engine.io/../x", "/engine.io/%2e%2E/x", "/engine.io/.%2e",
		"/ENGINE.IO/", "/%65ngine.io/", "/engine.io%2f", "/engine.io/a%2f..%2f..", "/engine.io/...", "", "/",
	} {
		f.Add("/engine.io", sent)
		f.Add("/a/b/", sent)
	}
	f.Fuzz(func(t *testing.T, mount, sent string) {
		base := strings.TrimRight(mount, "/")
		if strings.Contains(base, "..") || strings.Contains(base, "//") || !strings.HasPrefix(mount, "/") {
			return // no path to mount anything at
		}
		served := ServesPath(mount, sent)
		if tailed := ServesPath(mount+"/", sent); tailed != served {
			t.Fatalf("mounted at %q %v, at %q %v", mount, served, mount+"/", tailed)
		}
		below := strings.TrimPrefix(sent, base)
		inside := strings.HasPrefix(sent, base) && (below == "" || below[0] == '/')
		if served && !inside {
			t.Fatalf("%q serves %q", mount, sent)
		}
		if !served && inside && !strings.Contains(below, ".") && !strings.Contains(strings.ToLower(below), "%2e") {
			t.Fatalf("%q does not serve %q", mount, sent)
		}
		if !served {
			return
		}
		// A router that decodes each segment and removes dot segments ends up below it as well.
		segments := strings.Split(below, "/")
		for i, segment := range segments {
			if decoded, err := url.PathUnescape(segment); err == nil {
				segments[i] = strings.ReplaceAll(decoded, "/", "_")
			}
		}
		if clean := path.Clean("/mount" + strings.Join(segments, "/")); clean != "/mount" && !strings.HasPrefix(clean, "/mount/") {
			t.Fatalf("%q serves %q, which is %q to others", mount, sent, clean)
		}
	})
}

// FuzzServesRoute compares with a regular expression made of the pattern.
func FuzzServesRoute(f *testing.F) {
	for _, pattern := range []string{"/engine.io/*any", "/:tenant/engine.io/", "/v:version/e/*", "/*any", "/:a/:b/c", "/a/:b/c/:d/e"} {
		for _, sent := range []string{"/engine.io/", "/x/engine.io", "/v1/e/x", "/v../e", "/%2e%2e/engine.io/", "/%2f/engine.io/", "/a/b/c/d/e/", "/x/y/c/..", ""} {
			f.Add(pattern, sent)
		}
	}
	parameter := regexp.MustCompile(`:[^/]*`)
	f.Fuzz(func(t *testing.T, pattern, sent string) {
		if !strings.HasPrefix(pattern, "/") || strings.Contains(pattern, "//") || !utf8.ValidString(pattern) || !utf8.ValidString(sent) {
			return // no router would take it
		}
		served := ServesRoute(pattern, sent)
		mount, _, _ := strings.Cut(pattern, "*")
		mount = strings.TrimRight(mount, "/")
		var expression strings.Builder
		for {
			at := parameter.FindStringIndex(mount)
			if at == nil {
				break
			}
			expression.WriteString(regexp.QuoteMeta(mount[:at[0]]) + `[^/]+`)
			mount = mount[at[1]:]
		}
		matches := regexp.MustCompile(`(?s)\A` + expression.String() + regexp.QuoteMeta(mount) + `(/.*)?\z`).MatchString(sent)
		tricky := strings.ContainsAny(sent, "%.") || strings.Contains(sent, "//")
		if served && !matches || !served && matches && !tricky {
			t.Fatalf("%q serves %q: %v", pattern, sent, served)
		}
	})
}
