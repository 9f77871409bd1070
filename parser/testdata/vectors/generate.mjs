// Writes the golden vectors of package parser, one file per kind, with the reference implementations:
//
//     npm ci && node generate.mjs
//
// The output depends on nothing but the versions in package-lock.json and this file. A vector is
//
//     by       who stands behind it: "both" (the reference encoded it, and decoded it to the same packets),
//              "encoder" (it does not take back what it writes) or "decoder" (no encoder writes it, but the
//              reference decodes it like this)
//     base64   the encoder was told that the client cannot take binary
//     binary   the encoding is binary: a binary WebSocket message, a poll body of type application/octet-stream
//     packets  {type, text} or {type, base64}, the former repeated if repeat is set
//     error    the decoder reports an error after these packets
//     encoded  the bytes on the wire, in base64
//     sha256   instead of encoded, where that would be large

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import * as v4 from "engine.io-parser";
import v3 from "engine.io-parser-v3";

const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const LARGE = 4096;

// --- packets -------------------------------------------------------------------------------------------------

let state = 0x9e3779b9;
function random(n) {
  // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}

const text = (type, data) => ({ type, data });
const binary = (bytes, type = "message") => ({ type, data: Buffer.from(bytes) });
const bytes = (n) => Array.from({ length: n }, () => random(256));

const CONTROLS = String.fromCharCode(...Array.from({ length: 32 }, (_, i) => i), 127);
const TEXTS = [
  "",
  "a",
  "hello",
  "probe",
  "é",
  "€",
  "😀",
  "a😀b",
  "😀😀😀",
  "\ud83d",
  "\udc00x",
  "\ud83d\ud83d\ude00\ude00",
  "\ufeffbom",
  "\ufffd\uffff\u2028\u0085",
  CONTROLS,
  "b",
  "bAAA",
  "b4AAA=",
  "4",
  "1:2",
  ":::3:4ab",
  '{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000}',
  "naïve café, größer, 日本語, العربية, 𝒜𝒷𝒸, 👩‍👩‍👧",
  "x".repeat(130),
];

const ALPHABETS = [
  [..."abcXYZ0189:b "],
  [..."aé€ß"],
  [..."日本語a"],
  [..."😀𝒜é1"],
  ["\ud800", "\udfff", "a", "😀", "\ud83d"],
  [...CONTROLS],
];
function randomText() {
  const alphabet = ALPHABETS[random(ALPHABETS.length)];
  return Array.from({ length: random(40) }, () => alphabet[random(alphabet.length)]).join("");
}

const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 31, 48, 100, 125, 126, 256];
const BINARIES = [...LENGTHS.map((n) => binary(bytes(n))), binary([0x1e]), binary([0xff, 0xff]), binary([4, 0, 0])];

function messages() {
  return [
    ...TYPES.map((type) => text(type, "")),
    text("ping", "probe"),
    text("pong", "probe"),
    text("open", '{"sid":"x"}'),
    ...TEXTS.map((t) => text("message", t)),
    ...Array.from({ length: 20 }, () => text("message", randomText())),
    ...BINARIES,
  ];
}

function payloads() {
  const one = () => {
    switch (random(5)) {
      case 0:
        return binary(bytes(random(20)));
      case 1:
        return text(TYPES[random(TYPES.length)], "");
      default:
        return text("message", randomText());
    }
  };
  return [
    ...TYPES.map((type) => [text(type, "")]),
    ...TEXTS.map((t) => [text("message", t)]),
    ...BINARIES.map((p) => [p]),
    [binary([1]), binary([]), binary([2, 3])],
    [text("message", "😀"), binary([1, 2, 3, 4]), text("message", "é")],
    [text("message", "x".repeat(9)), binary(bytes(9)), text("message", "€".repeat(99))],
    ...Array.from({ length: 30 }, (_, i) => Array.from({ length: 2 + random(1 + (i % 12)) }, one)),
  ];
}

// --- the reference, made synchronous and of one shape ---------------------------------------------------------

const wire = (encoded) => Buffer.from(encoded); // a string becomes UTF-8, a lone surrogate U+FFFD
const received = (encoded, isBinary) => (isBinary ? Buffer.from(encoded) : Buffer.from(encoded).toString("utf8"));

const frame4 = {
  encode([packet], base64) {
    let out;
    v4.encodePacket(packet, !base64, (encoded) => (out = encoded));
    return [wire(out), typeof out !== "string"];
  },
  decode: (data, isBinary) => [v4.decodePacket(received(data, isBinary))],
};

const payload4 = {
  encode(packets) {
    let out;
    v4.encodePayload(packets, (encoded) => (out = encoded));
    return [wire(out), false];
  },
  decode: (data) => v4.decodePayload(received(data, false)),
};

const frame3 = {
  encode([packet], base64) {
    let out;
    v3.encodePacket(packet, !base64, false, (encoded) => (out = encoded));
    return [wire(out), typeof out !== "string"];
  },
  decode: (data, isBinary) => [v3.decodePacket(received(data, isBinary))],
};

const payload3 = {
  encode(packets, base64) {
    let out;
    v3.encodePayload(packets, !base64, (encoded) => (out = encoded));
    return [wire(out), typeof out !== "string"];
  },
  decode(data, isBinary) {
    const packets = [];
    v3.decodePayload(received(data, isBinary), (packet) => void packets.push(packet));
    return packets;
  },
};

async function collect(stream, chunks) {
  const out = [];
  const writing = (async () => {
    const writer = stream.writable.getWriter();
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  })();
  for await (const value of stream.readable) out.push(value);
  await writing;
  return out;
}

const stream4 = {
  encode: async (packets) => [Buffer.concat(await collect(v4.createPacketEncoderStream(), packets)), false],
  decode: (data) => collect(v4.createPacketDecoderStream(2 ** 40, "nodebuffer"), [new Uint8Array(data)]),
};

// --- vectors --------------------------------------------------------------------------------------------------

function describe({ type, data }, repeat) {
  if (Buffer.isBuffer(data)) return { type, base64: data.toString("base64") };
  const packet = { type, text: Buffer.from(data ?? "").toString("utf8") };
  return repeat ? { ...packet, text: packet.text.slice(0, 1), repeat } : packet;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function encoded(codec, packets, base64 = false, by = "both") {
  const [data, isBinary] = await codec.encode(packets, base64);
  const want = packets.map((p) => describe(p));
  const got = (await codec.decode(data, isBinary)).map((p) => describe(p));
  if (same(got, want) !== (by === "both")) {
    throw new Error(`not ${by}: ${JSON.stringify(want)} came back as ${JSON.stringify(got)}`);
  }
  if (data.length <= LARGE) return { by, base64, binary: isBinary, packets: want, encoded: data.toString("base64") };
  return {
    by,
    base64,
    binary: isBinary,
    packets: packets.map((p) => describe(p, p.data.length)), // one character, repeated
    sha256: createHash("sha256").update(data).digest("hex"),
  };
}

async function decoded(codec, input) {
  const isBinary = Array.isArray(input);
  const data = wire(input);
  const packets = await codec.decode(data, isBinary);
  const vector = { by: "decoder", base64: false, binary: isBinary && codec !== stream4 };
  const failed = packets.findIndex((p) => p.type === "error");
  vector.packets = (failed < 0 ? packets : packets.slice(0, failed)).map((p) => describe(p));
  if (failed >= 0) vector.error = true;
  vector.encoded = data.toString("base64");
  return vector;
}

async function write(name, vectors) {
  const lines = (await Promise.all(vectors)).map((v) => JSON.stringify(v));
  writeFileSync(new URL(`./${name}.json`, import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
  console.log(`${name}: ${lines.length}`);
}

const bothWays = (codec, list) => [false, true].flatMap((base64) => list.map((p) => encoded(codec, p, base64)));
const singles = messages().map((p) => [p]);
const many = payloads();
const hasSeparator = (p) => typeof p.data === "string" && p.data.includes("\x1e");

await write("frame-v4", [
  ...bothWays(frame4, singles),
  ...["bAQ", "bAQI", "bAQI=", "b", "", "7", "a", "B", "-", " 4", "é"].map((s) => decoded(frame4, s)),
]);
await write("payload-v4", [
  ...many.filter((packets) => !packets.some(hasSeparator)).map((packets) => encoded(payload4, packets)),
  ...["", "\x1e", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "4a\x1e7\x1e4b", "bAQ\x1ebAQI\x1eb"].map((s) =>
    decoded(payload4, s),
  ),
]);
await write("frame-v3", [
  ...bothWays(frame3, singles),
  ...bothWays(frame3, TYPES.map((type) => [binary([1, 2], type)])),
  ...["b4AQ", "b4AQI", "b4", "b2AQI=", "", "7", "a", "B4", "-", "é"].map((s) => decoded(frame3, s)),
]);
await write("payload-v3", [
  ...bothWays(payload3, many),
  encoded(payload3, []),
  ...[
    ["01:6", "1:61:6", "1:6003:4ab", "0:", "0:0:", "0:1:6", "1:60:", "2:4é", "3:4😀", "6:b4AQI="],
    ["", "6", "1", ":", ":6", "1:", "2:6", "1:7", "-1:6", "99999999999999999999:6", "1e9:6", "1:61:7", "1:62:6", "1:6x"],
  ]
    .flat()
    .map((s) => decoded(payload3, s)),
  ...[[], [0, 0, 1, 255, 54], [1, 0, 0, 2, 255, 4, 9, 0, 1, 255, 54]].map((s) => decoded(payload3, s)),
]);
await write("stream-v4", [
  ...singles.filter(([p]) => p.data.length > 0 || typeof p.data === "string").map((p) => encoded(stream4, p)),
  encoded(stream4, [binary([])], false, "encoder"),
  ...[123, 124, 125, 126, 255, 256, 65533, 65534, 65535, 65536].map((n) =>
    encoded(stream4, [text("message", "x".repeat(n))]),
  ),
  ...many.slice(-10).map((packets) => packets.filter((p) => p.data.length > 0 || typeof p.data === "string"))
    .map((packets) => encoded(stream4, packets)),
  ...[
    [126, 0, 2, 52, 97],
    [127, 0, 0, 0, 0, 0, 0, 0, 2, 52, 97],
    [254, 0, 1, 9, 1, 54],
    [0],
    [126, 0, 0],
    [127, 0, 32, 0, 0, 0, 0, 0, 0],
    [1, 54, 0],
    [1, 55],
  ].map((s) => decoded(stream4, s)),
]);
