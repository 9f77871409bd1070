// Sessions that stream numbered messages in both directions while they upgrade.
//
//   node stream.mjs '{"url", "version", "sessions", "messages", "seed"}'
//
// Both sides follow the same rule, here and in stream_test.go: message n reads "n" and some padding,
// every third one is binary; a stream has at least so many messages and goes on until its session has
// upgraded, and its last message begins with "!". One line of JSON per session on stdout: {"sent",
// "received"} once both streams are complete, or {"error"}. The sessions stay open until stdin ends.

import { clients } from "./clients.mjs";

const { url, version, sessions: count, messages, seed } = JSON.parse(process.argv[2]);
const afterUpgrade = 20; // so many messages at least follow the upgrade

const sessions = Array.from({ length: count }, (_, i) => stream(random(seed + i)));
process.stdin.on("end", () => sessions.forEach((session) => session.close())).resume();

function stream(rand) {
  const session = clients[version](url, { transports: ["polling", "websocket"] });
  let sent = 0;
  let received = 0;
  let last = Infinity; // the number of our last message, known after the upgrade
  let complete = 0; // streams of two

  session.on("open", sendSome);
  session.on("upgrade", () => (last = Math.max(messages - 1, sent + afterUpgrade)));
  session.on("message", check);
  session.on("close", (reason) => complete < 2 && report({ error: `closed: ${reason}; received ${received}` }));

  // sendSome sends a few messages at once, then pauses, on average longer and longer: a busy machine
  // must not drown in messages before it comes to upgrade.
  function sendSome() {
    for (let some = 1 + rand(8); some > 0 && sent <= last; some--) session.send(message());
    if (sent > last) return finish();
    setTimeout(sendSome, rand(1 + sent / 4));
  }

  function message() {
    const text = `${sent === last ? "!" : ""}${sent} ${"x".repeat(rand(200))}`;
    return sent++ % 3 === 2 ? Buffer.from(text) : text;
  }

  function check(data) {
    const binary = typeof data !== "string";
    const [, end, n] = /^(!?)(\d+) x*$/.exec(binary ? Buffer.from(data).toString() : data) ?? [];
    if (n !== String(received) || binary !== (received % 3 === 2)) {
      return report({ error: `received ${data}, binary: ${binary}; want ${received}` });
    }
    received++;
    if (end) finish();
  }

  function finish() {
    if (++complete === 2) report({ sent, received });
  }

  function report(result) {
    console.log(JSON.stringify({ id: session.id, ...result }));
  }

  return session;
}

// random returns a seeded source of integers below n (mulberry32).
function random(state) {
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
