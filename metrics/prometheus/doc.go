// Package eioprom shows the figures of Engine.IO servers to Prometheus.
//
//	registry.MustRegister(eioprom.NewCollector(srv, eioprom.Options{}))
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// Nothing is counted here: each scrape asks core.Server.Stats, which visits every session once. With
// 10,000 sessions that takes a few milliseconds.
//
// Several servers of one process need labels that tell them apart:
//
//	eioprom.Options{ConstLabels: prometheus.Labels{"server": "chat"}}
//
// # Metrics
//
// All series are there from the first scrape, with the value 0 until something happens, so that
// rate() sees the first event too. Counters never decrease, and begin at 0 with the server. The
// transport is polling or websocket, the revision 3 or 4.
//
// What is at the moment:
//
//   - engineio_sessions {transport, revision}, a gauge: open sessions.
//   - engineio_buffered_bytes, a gauge: data that waits to be sent, in all sessions together.
//
// What has happened since the server was made:
//
//   - engineio_sessions_opened_total {transport, revision}: handshakes that opened a session, by the
//     transport they came over.
//   - engineio_sessions_closed_total {reason}: sessions that ended, by the reason OnClose was given.
//   - engineio_requests_refused_total {code, error}: refused requests by the code of the protocol,
//     0 to 5; error is the code's text.
//   - engineio_upgrades_total {result}: WebSockets that were to take a polling session over: upgraded
//     or failed.
//   - engineio_packets_total {direction}: packets of sessions, received or sent. Heartbeats and other
//     packets of the protocol are among them.
//   - engineio_data_bytes_total {direction}: the data in those packets, without any framing and
//     before compression.
//   - engineio_messages_conflated_total: messages that Config.Conflate has saved.
//   - engineio_slow_client_actions_total {action}: what was done about clients that do not read. One
//     that is closed is a session, one that is refused a message for which Send returned
//     ErrBufferFull, one that is dropped a message that SendVolatile did not take.
//
// How long something took, as histograms:
//
//   - engineio_ping_round_trip_seconds: from a ping to its pong, in revision 4, where the server pings.
//   - engineio_upgrade_duration_seconds: from a WebSocket's handshake to the end of its upgrade.
//
// The file grafana.json in this folder is a dashboard that shows all of them.
package eioprom
