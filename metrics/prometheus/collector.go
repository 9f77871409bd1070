package eioprom

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goengineio/engineio/core"
)

// Options configures a collector.
type Options struct {
	// ConstLabels are added to every metric. Collectors of several servers in one registry need
	// different values for the same labels.
	ConstLabels prometheus.Labels
}

// NewCollector returns a collector of a server's figures, to be registered. If labels are not valid,
// registering it fails.
func NewCollector(srv *core.Server, opts Options) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("engineio_"+name, help, labels, opts.ConstLabels)
	}
	return &collector{
		srv: srv,

		sessions: desc("sessions", "Open sessions.", "transport", "revision"),
		buffered: desc("buffered_bytes", "Data that waits to be sent, in all sessions together."),

		opened:    desc("sessions_opened_total", "Handshakes that opened a session.", "transport", "revision"),
		closed:    desc("sessions_closed_total", "Sessions that ended.", "reason"),
		refused:   desc("requests_refused_total", "Requests that were refused.", "code", "error"),
		upgrades:  desc("upgrades_total", "WebSockets that were to take a polling session over.", "result"),
		packets:   desc("packets_total", "Packets of sessions.", "direction"),
		bytes:     desc("data_bytes_total", "Data in the packets of sessions, without framing and before compression.", "direction"),
		conflated: desc("messages_conflated_total", "Messages that were conflated away before they were sent."),
		slow:      desc("slow_client_actions_total", "Sessions closed, messages refused and volatile messages dropped because a client did not read.", "action"),

		pings:     desc("ping_round_trip_seconds", "Time from a ping to its pong, in revision 4."),
		upgrading: desc("upgrade_duration_seconds", "Time from a WebSocket's handshake to the end of its upgrade."),
	}
}

// collector describes the metrics; their values come from the server.
type collector struct {
	srv *core.Server

	sessions, buffered                *prometheus.Desc // gauges
	opened, closed, refused, upgrades *prometheus.Desc
	packets, bytes, conflated, slow   *prometheus.Desc
	pings, upgrading                  *prometheus.Desc // histograms
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		c.sessions, c.buffered,
		c.opened, c.closed, c.refused, c.upgrades, c.packets, c.bytes, c.conflated, c.slow,
		c.pings, c.upgrading,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. All metrics come from a single call of Server.Stats.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(desc *prometheus.Desc, value int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	stats := c.srv.Stats()

	for kind, n := range stats.Sessions {
		gauge(c.sessions, n, string(kind.Transport), strconv.Itoa(kind.Protocol))
	}
	gauge(c.buffered, stats.Buffered)

	for kind, n := range stats.Opened {
		counter(c.opened, n, string(kind.Transport), strconv.Itoa(kind.Protocol))
	}
	for reason, n := range stats.Closed {
		counter(c.closed, n, string(reason))
	}
	for code, n := range stats.Refused {
		counter(c.refused, n, strconv.Itoa(int(code)), code.String())
	}
	counter(c.refused, stats.Unavailable, "503", "Service Unavailable")
	counter(c.upgrades, stats.Upgraded, "upgraded")
	counter(c.upgrades, stats.UpgradesFailed, "failed")
	counter(c.packets, stats.Received.Packets, "received")
	counter(c.packets, stats.Sent.Packets, "sent")
	counter(c.bytes, stats.Received.Bytes, "received")
	counter(c.bytes, stats.Sent.Bytes, "sent")
	counter(c.conflated, stats.Conflated)
	counter(c.slow, stats.SlowClosed, "closed")
	counter(c.slow, stats.SlowRefused, "refused")
	counter(c.slow, stats.VolatileDropped, "dropped")

	metrics <- histogram(c.pings, stats.PingRoundTrip)
	metrics <- histogram(c.upgrading, stats.UpgradeDuration)
}

func histogram(desc *prometheus.Desc, h core.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Bounds))
	for i, bound := range h.Bounds {
		buckets[bound.Seconds()] = h.Counts[i]
	}
	return prometheus.MustNewConstHistogram(desc, h.Count, h.Sum.Seconds(), buckets)
}
