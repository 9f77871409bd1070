// The reference server, doing what examples/echo -broadcast does: every message goes back, a text
// that begins with "B:" goes to everybody, SIGUSR2 collects garbage (needs --expose-gc).
//
//   node --expose-gc server.mjs 127.0.0.1:3000

import { createServer } from "node:http";
import { Server } from "engine.io";

const [host, port] = (process.argv[2] ?? "127.0.0.1:3000").split(":");

// The defaults are those of the other side: 25 s, 20 s, 1e6 bytes, no permessage-deflate.
const engine = new Server({ httpCompression: false, perMessageDeflate: false });

engine.on("connection", (socket) => {
  socket.on("message", (data) => {
    if (typeof data === "string" && data.startsWith("B:")) {
      for (const id in engine.clients) engine.clients[id].send(data);
      return;
    }
    socket.send(data);
  });
});

process.on("SIGUSR2", () => globalThis.gc?.());

const http = createServer((_, response) => response.end("app"));
engine.attach(http, { path: "/engine.io/" });
http.listen(Number(port), host);
