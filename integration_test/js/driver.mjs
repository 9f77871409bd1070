// Official clients under remote control. Every line on stdin is a command, every line on stdout an
// event, both JSON; "id" says which session is meant:
//
//   {"id", "do": "open", "version": 3|4|5|6, "url", "transports": [...]}
//   {"id", "do": "send", "text": "..."} or {"id", "do": "send", "binary": "<base64>"}
//   {"id", "do": "close"}
//
//   {"id", "event": "open", "transport"}
//   {"id", "event": "message", "text"} or {"id", "event": "message", "binary"}
//   {"id", "event": "upgrade", "transport"}
//   {"id", "event": "heartbeat"}, one of the session's that went to and fro
//   {"id", "event": "close", "reason"}
//
// The process ends when stdin does.

import { createInterface } from "node:readline";
import { clients } from "./clients.mjs";

const sessions = new Map();

createInterface({ input: process.stdin })
  .on("line", (line) => obey(JSON.parse(line)))
  .on("close", () => process.exit());

function obey(command) {
  const session = sessions.get(command.id); // undefined when it is over
  switch (command.do) {
    case "open":
      return open(command);
    case "send":
      return session?.send("text" in command ? command.text : Buffer.from(command.binary, "base64"));
    case "close":
      return session?.close();
  }
}

function open({ id, version, url, transports }) {
  const session = clients[version](url, { transports, rejectUnauthorized: false });
  const tell = (event, content) => process.stdout.write(JSON.stringify({ id, event, ...content }) + "\n");

  sessions.set(id, session);
  session.on("open", () => tell("open", { transport: session.transport.name }));
  session.on("upgrade", (transport) => tell("upgrade", { transport: transport.name }));
  session.on("message", (data) => tell("message", message(data)));
  session.on("pong", () => tell("heartbeat"));
  session.on("error", () => {}); // a "close" follows, with the reason
  session.on("close", (reason) => {
    sessions.delete(id);
    tell("close", { reason });
  });
}

// An empty text message reaches the listener as undefined.
function message(data = "") {
  return typeof data === "string" ? { text: data } : { binary: Buffer.from(data).toString("base64") };
}
