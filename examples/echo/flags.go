package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
)

// options are the flags of the command line.
type options struct {
	framework       string
	addr            string
	path            string
	trailingSlash   bool
	pingInterval    time.Duration
	pingTimeout     time.Duration
	upgradeTimeout  time.Duration
	maxPayload      int64
	transports      string
	allowUpgrades   bool
	allowEIO3       bool
	httpCompression bool
	deflate         bool
	corsOrigin      string
	corsCredentials bool
	anyOrigin       bool
	tls             bool
	cookie          string
	denyParam       string
	initialPacket   string
	clientSuite     bool
	broadcast       bool
	wsEngine        string
	commands        bool
}

// parseFlags reports errors on output itself.
func parseFlags(args []string, output io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	f.SetOutput(output)
	f.Usage = func() {}
	f.StringVar(&o.framework, "framework", "nethttp", "which adapter serves: nethttp, gin, echo or fiber")
	f.StringVar(&o.addr, "addr", "127.0.0.1:4000", "address to listen on")
	f.StringVar(&o.path, "path", "/engine.io/", "path of the endpoint")
	f.BoolVar(&o.trailingSlash, "trailing-slash", true, "whether the path ends in a slash")
	f.DurationVar(&o.pingInterval, "ping-interval", 25*time.Second, "time between heartbeats")
	f.DurationVar(&o.pingTimeout, "ping-timeout", 20*time.Second, "time for the answer to a heartbeat")
	f.DurationVar(&o.upgradeTimeout, "upgrade-timeout", 10*time.Second, "time for an upgrade")
	f.Int64Var(&o.maxPayload, "max-payload", 1_000_000, "limit of a body or message, in bytes")
	f.StringVar(&o.transports, "transports", "polling,websocket", "enabled transports")
	f.BoolVar(&o.allowUpgrades, "allow-upgrades", true, "offer upgrades")
	f.BoolVar(&o.allowEIO3, "allow-eio3", false, "serve protocol revision 3")
	f.BoolVar(&o.httpCompression, "http-compression", true, "compress answers of polls")
	f.BoolVar(&o.deflate, "per-message-deflate", false, "compress WebSocket messages of 1024 bytes and more")
	f.StringVar(&o.corsOrigin, "cors-origin", "", "origins that CORS allows: *, or a list with commas")
	f.BoolVar(&o.corsCredentials, "cors-credentials", false, "allow cookies across origins")
	f.BoolVar(&o.anyOrigin, "any-origin", true, "accept WebSockets and JSONP whatever their origin")
	f.BoolVar(&o.tls, "tls", false, "serve https and wss, with a certificate made at start")
	f.StringVar(&o.cookie, "cookie", "", "name of a cookie that carries the session id")
	f.StringVar(&o.denyParam, "deny-param", "", "refuse handshakes that have this query parameter")
	f.StringVar(&o.initialPacket, "initial-packet", "", "text sent along with the handshake")
	f.BoolVar(&o.clientSuite, "client-suite", false, "be the server of engine.io-client's own tests")
	f.BoolVar(&o.broadcast, "broadcast", false, "send texts that begin with B: to every session; collect garbage on SIGUSR2")
	f.StringVar(&o.wsEngine, "ws-engine", "default", "WebSocket engine: default or lean")
	f.BoolVar(&o.commands, "commands", false, "obey messages that begin with cmd:, serve /_test/state")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.PrintDefaults()
		}
		return o, err
	}
	if err := o.check(f.Args()); err != nil {
		fmt.Fprintln(output, err)
		return o, err
	}
	o.path = strings.TrimRight(o.path, "/")
	if o.trailingSlash {
		o.path += "/"
	}
	return o, nil
}

func (o options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if _, ok := frameworks[o.framework]; !ok {
		return fmt.Errorf("unknown framework %q", o.framework)
	}
	if _, ok := engines[o.wsEngine]; !ok {
		return fmt.Errorf("unknown WebSocket engine %q", o.wsEngine)
	}
	return nil
}

// engines has an entry for each value of -ws-engine. A nil engine means the default one of the adapters.
var engines = map[string]func() core.WebSocketEngine{
	"default": func() core.WebSocketEngine { return nil },
	"lean":    func() core.WebSocketEngine { return lean.New() },
}

// allowRequest refuses requests with the parameter that -deny-param names. Its value is the reason.
func (o options) allowRequest(r *http.Request) error {
	if query := r.URL.Query(); query.Has(o.denyParam) {
		return errors.New(query.Get(o.denyParam))
	}
	return nil
}

func (o options) config(app *app) core.Config {
	cfg := core.Config{
		PingInterval:           o.pingInterval,
		PingTimeout:            o.pingTimeout,
		UpgradeTimeout:         o.upgradeTimeout,
		MaxPayload:             o.maxPayload,
		DisableUpgrades:        !o.allowUpgrades,
		AllowEIO3:              o.allowEIO3,
		DisableHTTPCompression: !o.httpCompression,
		AllowAnyOrigin:         o.anyOrigin,
		OnMessage:              app.message,
	}
	if o.commands || o.clientSuite {
		cfg.OnConnection = app.connected
	}
	cfg.WebSocketEngine = engines[o.wsEngine]()
	if o.cookie != "" {
		cfg.Cookie = &core.CookieOptions{Name: o.cookie}
	}
	if o.denyParam != "" {
		cfg.AllowRequest = o.allowRequest
	}
	if o.initialPacket != "" {
		m := core.Text(o.initialPacket)
		cfg.InitialPacket = &m
	}
	if o.clientSuite {
		cfg.OnInitialHeaders = app.suite.initialHeaders
	}
	if o.deflate {
		cfg.PerMessageDeflate = &core.DeflateOptions{}
	}
	if o.corsOrigin != "" {
		cfg.CORS = &cors.Options{AllowedOrigins: strings.Split(o.corsOrigin, ","), AllowCredentials: o.corsCredentials}
	}
	for name := range strings.SplitSeq(o.transports, ",") {
		if name != "" {
			cfg.Transports = append(cfg.Transports, core.Transport(name))
		}
	}
	return cfg
}
