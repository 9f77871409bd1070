// The page of figures: it reads /metrics, as Prometheus does, once a second, and plots the last minute as
// SVG. Counters are plotted as their increase per second.

const every = 1000; // milliseconds
const seconds = 60; // shown by a plot
const marks = 3; // labels of the y axis
const [width, height] = [seconds, 100]; // of the drawing's own coordinates

// --- what is plotted: series by name, each with a value for two scrapes and the seconds between

const sum = (metrics, name, labels = {}) =>
  metrics
    .filter((m) => m.name === name && Object.entries(labels).every(([label, value]) => m.labels[label] === value))
    .reduce((total, m) => total + m.value, 0);

const gauge = (name, labels) => (now) => sum(now, name, labels);

const rate = (name, labels) => (now, before, elapsed) => increase(now, before, name, labels) / elapsed;

// increase starts again from 0, as the counters do, when the server was restarted.
function increase(now, before, name, labels) {
  const value = sum(now, name, labels);
  const was = sum(before, name, labels);
  return value < was ? value : value - was;
}

// mean is the average of the histogram's values since the last scrape, or null if there were none.
const mean = (name) => (now, before) => {
  const count = increase(now, before, `${name}_count`);
  return count ? (1000 * increase(now, before, `${name}_sum`)) / count : null;
};

const directions = (name) => ({
  received: rate(name, { direction: "received" }),
  sent: rate(name, { direction: "sent" }),
});

const reasons = ["transport close", "transport error", "ping timeout", "parse error", "forced close"];

const plots = [
  plot("sessions", {
    polling: gauge("engineio_sessions", { transport: "polling" }),
    websocket: gauge("engineio_sessions", { transport: "websocket" }),
  }),
  plot("packets", directions("engineio_packets_total")),
  plot("bytes", directions("engineio_data_bytes_total")),
  plot("closes", Object.fromEntries(reasons.map((reason) => [reason, rate("engineio_sessions_closed_total", { reason })]))),
  plot("buffered", { bytes: gauge("engineio_buffered_bytes") }),
  plot("pings", { mean: mean("engineio_ping_round_trip_seconds") }),
];

// --- the text format of Prometheus

const sample = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function parse(text) {
  const metrics = [];
  for (const line of text.split("\n")) {
    const found = sample.exec(line);
    if (!found) continue; // a comment
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(label)].map((m) => [m[1], m[2]]));
    metrics.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return metrics;
}

// --- drawing

function svg(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function html(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

// plot fills the figure with this id: the lines, and a legend with the latest values.
function plot(id, sources) {
  const figure = document.getElementById(id);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" });
  const axis = html("div", "axis");
  const legend = html("ul", "legend");
  for (let i = 0; i < marks; i++) {
    axis.append(html("span", ""));
    const y = (height * i) / (marks - 1);
    drawing.append(svg("line", { x1: 0, x2: width, y1: y, y2: y }));
  }
  const series = Object.entries(sources).map(([name, source], i) => {
    const line = svg("polyline", { class: `series-${i}` });
    drawing.append(line);
    const item = html("li", `series-${i}`, name);
    const value = html("b", "", "–");
    item.dataset.series = line.dataset.series = name;
    item.append(value);
    legend.append(item);
    return { source, line, value, points: [] };
  });
  const frame = html("div", "frame");
  frame.append(axis, drawing);
  figure.append(frame, legend);
  return { axis, series };
}

const round = (value) => (value >= 100 ? Math.round(value) : Math.round(value * 10) / 10);
const short = (value) => (value >= 10_000 ? `${round(value / 1000)}k` : String(round(value)));

// ceiling rounds up to 1, 2 or 5 times a power of ten, so that the axis has plain numbers.
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

function draw({ axis, series }, at) {
  const top = ceiling(Math.max(...series.flatMap((s) => s.points.map((p) => p.value))));
  [...axis.children].forEach((mark, i) => (mark.textContent = short(top * (1 - i / (marks - 1)))));
  for (const { line, points } of series) {
    const place = (p) => `${(width - (at - p.at) / 1000).toFixed(2)},${(height * (1 - p.value / top)).toFixed(2)}`;
    line.setAttribute("points", points.map(place).join(" "));
  }
}

// --- once a second

let before = null; // the scrape before: { at, metrics }

async function scrape() {
  const answer = await fetch("metrics", { cache: "no-store", signal: AbortSignal.timeout(5 * every) });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return { at: performance.now(), metrics: parse(await answer.text()) };
}

function show(now) {
  const elapsed = (now.at - before.at) / 1000;
  for (const plot of plots) {
    for (const s of plot.series) {
      const value = s.source(now.metrics, before.metrics, elapsed);
      if (value !== null) {
        s.points.push({ at: now.at, value });
        s.value.textContent = short(value);
      }
      s.points = s.points.filter((p) => now.at - p.at < seconds * 1000);
    }
    draw(plot, now.at);
  }
}

async function look() {
  try {
    const now = await scrape();
    if (before) show(now);
    before = now;
    state("connected", "live");
  } catch (error) {
    state("lost", `no figures: ${error.message}`);
  }
  setTimeout(look, every);
}

function state(name, text) {
  document.body.dataset.state = name;
  document.getElementById("state").textContent = text;
}

look();
