package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goengineio/engineio/core"
)

// options are the command line.
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
	commands        bool
}

// parseFlags reports errors on output itself.
func parseFlags(args []string, output io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	f.SetOutput(output)
	f.StringVar(&o.framework, "framework", "nethttp", "which adapter serves: nethttp")
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
	f.BoolVar(&o.commands, "commands", false, "obey messages that begin with cmd:, serve /_test/state")
	if err := f.Parse(args); err != nil {
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
		OnConnection:           app.connected,
	}
	for name := range strings.SplitSeq(o.transports, ",") {
		if name != "" {
			cfg.Transports = append(cfg.Transports, core.Transport(name))
		}
	}
	return cfg
}
