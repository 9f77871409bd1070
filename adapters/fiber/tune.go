package eiofiber

import (
	"math"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/goengineio/engineio/core"
)

// slack is how many bytes beyond the limit are read of a body that is too large, so that its client can
// be answered. If there are more, the connection is closed.
const slack = 256 << 10

// writeBuffer is enough for the answers to nearly all polls, headers included.
const writeBuffer = 2 << 10

// Tune changes settings of the application's server that can be changed nowhere else. It is optional,
// but saves memory and confines limits that suit Engine.IO to the endpoint:
//
//   - It sets KeepHijackedConns, so that a WebSocket no longer holds on to fasthttp's request. Handlers
//     of other packages that hijack connections of this application must then close them themselves.
//   - On the endpoint's paths, and only there, bodies may have up to MaxPayload bytes, whatever
//     fiber.Config.BodyLimit is (slightly larger ones are refused with a proper answer), and must arrive
//     within PingInterval + PingTimeout, whatever fiber.Config.ReadTimeout is. This is done in
//     HeaderReceived of the server; a function that is already set there is called first. If the
//     application streams bodies (fiber.Config.StreamRequestBody), the handler sees a POST as soon as
//     its first byte has arrived, and MaxPayload limits it. In that case Tune also sets
//     DisablePreParseMultipartForm: forms with files are parsed when a handler asks for them.
//   - If fiber.Config.WriteTimeout is not set, answers of the endpoint must leave within
//     core.Config.WriteTimeout. Without Tune, only answers to polls of more than a few KiB are limited: they
//     may take core.Config.WriteTimeout without progress, and PingInterval + PingTimeout longer in all.
//   - If fiber.Config.WriteBufferSize is not set, or is the default of 4 KiB, the buffer for answers,
//     which each waiting poll holds on to, has 2 KiB. Longer answers take one more write.
//
// Call it on the app that listens, before it listens, with the paths at which the server is mounted,
// including prefixes of groups and sub-apps; no paths means DefaultPath. It may be called once for each
// server. It returns an error if the app has Prefork set, with which Engine.IO cannot work.
func Tune(app *fiber.App, srv *core.Server, paths ...string) error {
	if app.Config().Prefork {
		return errPrefork
	}
	if len(paths) == 0 {
		paths = []string{DefaultPath}
	}
	mounts := make([]string, len(paths))
	for i, path := range paths {
		mounts[i] = cleanPath(path)
	}
	cfg := srv.Config()
	limit := int(min(cfg.MaxPayload, math.MaxInt-slack)) + slack
	within := cfg.PingInterval + cfg.PingTimeout

	server := app.Server()
	server.KeepHijackedConns = true
	if server.WriteBufferSize == fiber.DefaultWriteBufferSize {
		server.WriteBufferSize = writeBuffer
	}
	if server.StreamRequestBody {
		server.DisablePreParseMultipartForm = true // would write bodies of any size to files, before any handler is called
	}
	earlier := server.HeaderReceived
	server.HeaderReceived = func(h *fasthttp.RequestHeader) (config fasthttp.RequestConfig) {
		if earlier != nil {
			config = earlier(h)
		}
		path, _ := splitTarget(utils.UnsafeString(h.RequestURI()))
		for _, mount := range mounts {
			if !serves(mount, path) {
				continue
			}
			if config.MaxRequestBodySize = limit; server.StreamRequestBody {
				config.MaxRequestBodySize = 1 // of what is read before the handler is called
			}
			if config.WriteTimeout == 0 && server.WriteTimeout == 0 {
				config.WriteTimeout = cfg.WriteTimeout
			}
			if hasBody(h) {
				config.ReadTimeout = within
			}
		}
		return config
	}
	return nil
}

func hasBody(h *fasthttp.RequestHeader) bool {
	return h.ContentLength() > 0 || h.ContentLength() == chunked
}

const chunked = -1 // as fasthttp puts it
