// Clients that send numbered messages without end and open a new session when theirs is closed, as
// Socket.IO's clients do, but sooner.
//
//   node restart.mjs '{"url", "clients": [{"transports": [...], "upgrade": true|false}, ...]}'
//
// Each line on stdout is an event, in JSON; "client" is the index of the client:
//
//   {"client", "event": "served", "id"}, ten messages came back in this session, on its last transport
//   {"client", "event": "failed", "reason"}, no session was opened
//   {"client", "event": "closed", "id", "reason", "transport", "sent", "received"}
//   {"client", "event": "error", "error"}, something else came back than was sent
//
// The process ends when stdin does.

import { clients as versions } from "./clients.mjs";

const { url, clients } = JSON.parse(process.argv[2]);
const served = 10;

process.stdin.on("end", () => process.exit()).resume();
clients.forEach(open);

function open({ transports, upgrade }, client) {
  const session = versions[6](url, { transports });
  const tell = (event, content) => process.stdout.write(JSON.stringify({ client, event, ...content }) + "\n");
  let id;
  let timer;
  let sent = 0;
  let received = 0;
  let due = upgrade ? Infinity : served; // so many messages make the session a served one

  session.on("open", () => {
    id = session.id;
    timer = setInterval(() => session.send(`message ${sent++}`), 5);
  });
  session.on("upgrade", () => (due = received + served));
  session.on("message", (data) => {
    if (data !== `message ${received}`) tell("error", { error: `${id}: received ${data}, want ${received}` });
    if (++received === due) tell("served", { id });
  });
  session.on("error", () => {}); // a "close" follows, with the reason
  session.on("close", (reason) => {
    clearInterval(timer);
    if (id) tell("closed", { id, reason, transport: session.transport.name, sent, received });
    else tell("failed", { reason });
    setTimeout(open, 50 + Math.random() * 50, { transports, upgrade }, client);
  });
}
