// Package eioprom exports the figures of Engine.IO servers to Prometheus.
//
//	registry.MustRegister(eioprom.NewCollector(srv, eioprom.Options{}))
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// The collector itself counts nothing: each scrape calls core.Server.Stats, which visits every session
// once. With 10,000 sessions that takes a few milliseconds.
//
// Several servers in one process need labels that tell them apart:
//
//	eioprom.Options{ConstLabels: prometheus.Labels{"server": "chat"}}
//
// # Metrics
//
// All series exist from the first scrape, at 0, so that rate() sees the first event too. Counters begin at
// 0 with the server and never decrease. The transport is polling or websocket, the revision 3 or 4.
//
// Gauges:
//
//   - engineio_sessions {transport, revision}, a gauge: open sessions.
//   - engineio_buffered_bytes, a gauge: data waiting to be sent, in all sessions together.
//
// Counters since the server was made:
//
//   - engineio_sessions_opened_total {transport, revision}: handshakes that opened a session, by their
//     transport.
//   - engineio_sessions_closed_total {reason}: sessions that ended, by the reason given to OnClose.
//   - engineio_requests_refused_total {code, error}: refused requests, by the protocol's error code, 0 to
//     5, or 503 for handshakes refused because of Config.MaxSessions or a shutdown; error is the text of
//     the code.
//   - engineio_upgrades_total {result}: WebSockets that tried to take over a polling session: upgraded or
//     failed.
//   - engineio_packets_total {direction}: packets of sessions, received or sent, including heartbeats and
//     other protocol packets.
//   - engineio_data_bytes_total {direction}: data in those packets, without framing and before
//     compression.
//   - engineio_messages_conflated_total: messages saved by Config.Conflate: how many fewer it returned
//     than it was given.
//   - engineio_slow_client_actions_total {action}: actions taken because a client did not read: closed
//     counts sessions, refused counts messages for which Send returned ErrBufferFull, dropped counts
//     messages that SendVolatile dropped.
//
// Histograms of durations:
//
//   - engineio_ping_round_trip_seconds: from a ping to its pong; revision 4 only, where the server pings.
//   - engineio_upgrade_duration_seconds: from a WebSocket's handshake to the end of its upgrade.
//
// The file grafana.json in this directory is a Grafana dashboard that shows all of them.
package eioprom
