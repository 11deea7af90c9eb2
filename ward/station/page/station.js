// The station: a wall of beds, kept up to date over one socket.

import { NEWEST, readFrame } from "./frames.js";
import { Large, say } from "./large.js";
import { Sweep } from "./sweep.js";

const MOST_EVENTS = 200;
const AGAIN_MS = [500, 1000, 2000, 5000];

const wall = document.getElementById("wall"), find = document.getElementById("find");
const order = document.getElementById("order"), notice = document.getElementById("notice");
const tiles = new Map();
const colours = {};
let socket = null, tries = 0, events = [];
const drawn = { frames: 0, since: performance.now() };

const large = new Large(send, colours);

// What the server says

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/beds`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { socket.send(location.hash.slice(1)); tries = 0; tellVisible(); };
  socket.onmessage = ({ data }) => {
    notice.hidden = true;
    if (typeof data === "string") takeStates(JSON.parse(data));
    else takeTraces(readFrame(data));
  };
  socket.onclose = ({ reason }) => {
    notice.hidden = false;
    notice.textContent = reason ? `Not connected: ${reason}.` : "Not connected: what is shown is old. Trying again …";
    wall.querySelectorAll(".bed").forEach((tile) => tile.classList.add("lost"));
    setTimeout(connect, AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
  };
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function takeTraces({ kind, beds }) {
  for (const trace of beds) {
    if (kind !== NEWEST) { large.take(trace); continue; }
    const tile = tiles.get(trace.bed);
    if (!tile) continue;
    tile.state.newest = trace.first + trace.raw.length;
    tile.sweep.add(trace);
  }
  drawn.frames++;
}

function takeStates({ beds, events: fresh }) {
  for (const bed of beds) {
    const tile = tiles.get(bed.number) ?? newTile(bed);
    tile.state = { ...bed, newest: tile.state?.newest };
    show(tile);
    large.tell(tile.state);
  }
  if (fresh.length) {
    events = [...fresh.reverse(), ...events].slice(0, MOST_EVENTS);
    list(document.getElementById("events"), events);
  }
  if (large.bed) list(document.getElementById("large-events"), events.filter((event) => event.bed === large.bed.number));
  const rate = (1000 * drawn.frames) / (performance.now() - drawn.since);
  drawn.frames = 0;
  drawn.since = performance.now();
  const trouble = beds.filter((bed) => bed.trouble > 1).length;
  document.getElementById("totals").textContent =
    `${beds.length} beds · ${trouble} need a look · ${rate.toFixed(0)} updates/s`;
  document.body.dataset.updates = rate.toFixed(1);
  document.title = trouble ? `(${trouble}) ECG ward` : "ECG ward";
  arrange();
}

// Tiles

function newTile(bed) {
  const element = document.createElement("button");
  element.className = "bed";
  element.type = "button";
  element.dataset.bed = bed.number;
  element.innerHTML = '<span class="name"></span><span class="state"></span><canvas aria-hidden="true"></canvas>' +
    '<span class="rates"><span class="cleaned-bpm"></span><span class="raw-bpm"></span></span><span class="why"></span><span class="delay"></span>';
  const tile = { element, sweep: new Sweep(element.querySelector("canvas")), state: bed };
  tile.sweep.colours = colours;
  element.addEventListener("click", () => large.open(tile.state));
  tiles.set(bed.number, tile);
  wall.append(element);
  visible.observe(element);
  return tile;
}

function show({ element, state }) {
  const put = (name, text) => {
    const field = element.querySelector(name);
    if (field.textContent !== text) field.textContent = text;
  };
  put(".name", state.name);
  put(".state", state.state);
  put(".cleaned-bpm", say(state.cleaned_bpm));
  put(".raw-bpm", say(state.raw_bpm));
  put(".why", state.why || "");
  put(".delay", state.delay_ms == null ? "" : `${state.delay_ms.toFixed(0)} ms`);
  element.dataset.trouble = state.trouble;
  element.classList.toggle("lost", state.trouble > 2);
  element.setAttribute("aria-label",
    `${state.name}: ${state.state}, heart rate ${state.cleaned_bpm == null ? "unknown" : say(state.cleaned_bpm)}${state.why ? `, ${state.why}` : ""}`);
}

/** Order and search; tiles are moved only where they stand wrongly, so that focus and scrolling stay. */
function arrange() {
  const asked = find.value.trim().toLowerCase();
  const sorted = [...tiles.values()].sort((a, b) =>
    (order.value === "trouble" ? b.state.trouble - a.state.trouble : 0) ||
    a.state.name.localeCompare(b.state.name, undefined, { numeric: true }) || a.state.number - b.state.number);
  sorted.forEach(({ element, state }, place) => {
    element.hidden = Boolean(asked) && !state.name.toLowerCase().includes(asked);
    element.style.display = element.hidden ? "none" : "";
    if (wall.children[place] !== element) {
      const focused = document.activeElement === element;
      wall.insertBefore(element, wall.children[place] ?? null);
      if (focused) element.focus({ preventScroll: true });
    }
  });
}

const seen = new Set();
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const number = Number(target.dataset.bed);
    if (isIntersecting) seen.add(number); else seen.delete(number);
  }
  tellVisible();
});

function tellVisible() {
  send({ show: [...seen].slice(0, 1024) });
}

function list(element, shown) {
  element.replaceChildren(...shown.map((event) => {
    const item = document.createElement("li"), time = document.createElement("time");
    time.textContent = new Date(1000 * event.time_s).toLocaleTimeString([], { hour12: false });
    const name = event.bed == null ? "" : `${tiles.get(event.bed)?.state.name ?? `bed ${event.bed}`} `;
    item.append(time, ` ${name}${event.text}`);
    return item;
  }));
}

// Looks and keys

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = theme === "light" ? "Dark" : "Light";
  const style = getComputedStyle(document.documentElement);
  for (const name of ["raw", "cleaned", "line"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  redrawAll();
}

function redrawAll() {
  for (const { sweep } of tiles.values()) sweep.redraw();
  large.draw();
}

function step(by) {
  const shown = [...wall.children].filter((element) => !element.hidden);
  const at = shown.indexOf(document.activeElement);
  shown[Math.min(Math.max(at + by, 0), shown.length - 1)]?.focus();
}

document.getElementById("theme").addEventListener("click", () =>
  setTheme(document.documentElement.dataset.theme === "light" ? "dark" : "light"));
find.addEventListener("input", arrange);
order.addEventListener("change", arrange);
addEventListener("resize", redrawAll);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || large.dialog.open) return;
  if (event.target === find) {
    if (event.key === "Escape") { find.value = ""; arrange(); find.blur(); }
    return;
  }
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key in steps && event.target.tagName !== "SELECT") step(steps[event.key]);
  else if (event.key === "/") find.focus();
  else if (event.key === "o") { order.value = order.value === "name" ? "trouble" : "name"; arrange(); }
  else if (event.key === "t") document.getElementById("theme").click();
  else return;
  event.preventDefault();
});

setTheme(matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
connect();
