// The page of the chat: one connection, which is reopened when it is lost, and the display. room.go
// describes the messages.

import { Socket } from "/engine.io-client.js";

const maxPicture = 3_500_000; // bytes, as in room.go
const firstRetry = 500; // milliseconds, doubled up to maxRetry
const maxRetry = 10_000;

const $ = (id) => document.getElementById(id);

let name = sessionStorage.getItem("name"); // a tab keeps its name when it is reloaded
let socket = null; // the current connection; events of an older one count no more
let pollingOnly = false;
let me = 0; // our number in the room, 0 until the server has let us in
let announced = null; // the event that announced the next binary message
let failures = 0; // connections lost in a row
let retry = 0; // the timer of the next attempt

// --- the connection

function connect() {
  const current = new Socket({
    transports: pollingOnly ? ["polling"] : ["polling", "websocket"],
  });
  current.binaryType = "arraybuffer";
  socket = current;
  showState("connecting", "Connecting…");

  const on = (event, listener) => current.on(event, (...args) => current === socket && listener(...args));
  on("open", () => {
    showState("connected", "Connected");
    showTransport(current.transport.name, "Connected over");
    request("join", name);
  });
  on("upgrade", (transport) => showTransport(transport.name, "Switched to"));
  on("message", (data) => (typeof data === "string" ? receive(JSON.parse(data)) : receivePicture(data)));
  on("close", lost);
}

// lost waits before it connects again: longer each time, and for a different time in each tab.
function lost() {
  disconnect();
  const wait = Math.min(maxRetry, firstRetry * 2 ** failures++) * (0.75 + Math.random() / 2);
  showState("lost", `Connection lost, next attempt in ${Math.ceil(wait / 1000)} s`);
  retry = setTimeout(connect, wait);
}

function disconnect() {
  clearTimeout(retry);
  const old = socket;
  socket = announced = null;
  me = 0;
  showTransport("");
  showPeople([]);
  old?.close();
}

function request(type, text) {
  socket?.send(JSON.stringify({ type, text }));
}

// --- messages from the server

function receive(event) {
  switch (event.type) {
    case "welcome":
      me = event.from;
      failures = 0;
      break;
    case "people":
      showPeople(event.people ?? []);
      break;
    case "joined":
      showNotice(`${event.name} joined`);
      break;
    case "left":
      showNotice(`${event.name} left`);
      break;
    case "said":
      showMessage(event, element("p", "text", event.text));
      break;
    case "picture":
      announced = event;
      break;
    case "refused":
      showNotice(event.text, "refused");
      if (!me) askName();
      break;
  }
}

function receivePicture(data) {
  const picture = element("img");
  picture.alt = `Picture from ${announced.name}`;
  picture.src = URL.createObjectURL(new Blob([data], { type: announced.text }));
  picture.addEventListener("load", () => {
    URL.revokeObjectURL(picture.src);
    showLatest();
  });
  showMessage(announced, picture);
  announced = null;
}

// --- display; text is always inserted as text, never as HTML

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function showState(state, text) {
  $("wire").dataset.state = state;
  $("state").textContent = text;
  for (const control of $("say").elements) control.disabled = state !== "connected";
}

function showTransport(transport, how) {
  $("wire").dataset.transport = transport;
  if (transport) showNotice(`${how} ${transport}`, "transport");
}

function showPeople(people) {
  $("count").textContent = people.length;
  $("people").replaceChildren(
    ...people.map((person) => {
      const node = element("li");
      node.append(
        avatar(person.name),
        element("span", "name", person.id === me ? `${person.name} (you)` : person.name),
        element("span", `badge ${person.transport}`, person.transport),
      );
      return node;
    }),
  );
}

function showMessage(event, content) {
  const node = element("li", event.from === me ? "message mine" : "message");
  const time = new Date(event.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const body = element("div", "body");
  body.append(element("span", "from", event.name), element("time", "", time), content);
  node.append(avatar(event.name), body);
  show(node);
}

function showNotice(text, kind = "") {
  show(element("li", `notice ${kind}`, text));
}

function show(node) {
  $("log").append(node);
  showLatest();
}

function showLatest() {
  $("log").scrollTop = $("log").scrollHeight;
}

// avatar is the person's initial on a colour derived from the name.
function avatar(name) {
  const node = element("span", "avatar", [...name][0].toUpperCase());
  node.style.setProperty("--hue", [...name].reduce((hue, c) => (hue * 131 + c.codePointAt(0)) % 360, 0));
  return node;
}

function askName() {
  disconnect();
  showState("idle", "not connected");
  $("join").hidden = false;
  $("name").value = name ?? "";
  $("name").focus();
}

// --- input from the user

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  name = $("name").value;
  sessionStorage.setItem("name", name);
  $("join").hidden = true;
  connect();
  $("text").focus();
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("text").value.trim()) request("say", $("text").value);
  $("text").value = "";
});

$("picture").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file?.size <= maxPicture) {
    const data = await file.arrayBuffer();
    socket?.send(data);
  } else if (file) {
    showNotice("A picture may have 3.5 MB at most.", "refused");
  }
  event.target.value = "";
});

$("force").addEventListener("click", () => {
  pollingOnly = !pollingOnly;
  $("force").setAttribute("aria-pressed", pollingOnly);
  $("force").textContent = pollingOnly ? "Allow websocket" : "Force polling";
  if (!name || !$("join").hidden) return;
  disconnect();
  connect();
});

if (name) {
  $("join").hidden = true;
  connect();
} else {
  askName();
}
