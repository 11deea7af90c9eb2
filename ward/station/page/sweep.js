// Draws a bed as a monitor does: the newest samples over the oldest, with a bar of nothing before them.

import { MISSING, STEP_MV } from "./frames.js";

const SHOWN_S = 5;
const BAR_S = 0.25;
const LEAST_RANGE_MV = 1.5;
const SETTLE_S = 2;

export class Sweep {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.kept = null;
    this.next = 0;
    this.colours = {};
  }

  /** Takes samples of a bed and draws what is new. */
  add({ first, hz, raw, cleaned }) {
    const length = Math.round(SHOWN_S * hz);
    if (!this.kept || this.kept.raw.length !== length) {
      this.kept = { raw: new Int16Array(length).fill(MISSING), cleaned: new Int16Array(length).fill(MISSING) };
      this.hz = hz;
      this.range = null;
      this.next = first;
    }
    if (first > this.next) this.forget(this.next, Math.min(first, this.next + length));
    for (let k = 0; k < raw.length; k++) {
      this.kept.raw[(first + k) % length] = raw[k];
      this.kept.cleaned[(first + k) % length] = cleaned[k];
    }
    const before = this.next;
    this.next = first + raw.length;
    if (this.rescale() || this.resized()) this.redraw();
    else this.draw(Math.max(before - 1, first - 1, 0), this.next);
  }

  forget(start, stop) {
    for (let k = start; k < stop; k++) this.kept.raw[k % this.kept.raw.length] = this.kept.cleaned[k % this.kept.raw.length] = MISSING;
  }

  /** Fits the range to the cleaned trace now and then; true where it has changed. */
  rescale() {
    if (this.range && this.next - this.ranged < SETTLE_S * this.hz) return false;
    this.ranged = this.next;
    const range = rangeOf(this.kept.cleaned);
    if (!range) return false;
    const [low, high] = range;
    const fits = this.range && low >= this.range[0] && high <= this.range[1] && high - low > 0.5 * (this.range[1] - this.range[0]);
    if (fits) return false;
    const margin = 0.15 * (high - low);
    this.range = [low - margin, high + margin];
    return true;
  }

  resized() {
    const { canvas } = this, scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (canvas.width === width && canvas.height === height) return false;
    canvas.width = width;
    canvas.height = height;
    this.scale = scale;
    return true;
  }

  redraw() {
    this.resized();
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.kept) return;
    const length = this.kept.raw.length;
    this.draw(Math.max(0, this.next - length + Math.round(BAR_S * this.hz)), this.next);
  }

  draw(start, stop) {
    if (!this.range) return;
    const { pen, canvas } = this, length = this.kept.raw.length;
    const bar = Math.round(BAR_S * this.hz), across = canvas.width / length;
    for (let k = start; k < stop;) {
      // To the right edge, and then from the left one.
      const end = Math.min(stop, k + length - (k % length));
      const left = (k % length) * across, width = (end - k) * across;
      pen.clearRect(left + (k === start ? 1 : 0), 0, width + bar * across, canvas.height);
      this.line(this.kept.raw, k, end, this.colours.raw, 1);
      this.line(this.kept.cleaned, k, end, this.colours.cleaned, 1.6);
      k = end;
    }
    const over = ((stop % length) + bar) - length;
    if (over > 0) pen.clearRect(0, 0, over * across, canvas.height);
  }

  line(values, start, stop, colour, width) {
    const { pen, canvas } = this, length = values.length, across = canvas.width / length;
    const [low, high] = this.range, up = canvas.height / (high - low);
    pen.beginPath();
    let drawing = false;
    for (let k = start; k < stop; k++) {
      const value = values[k % length];
      if (value === MISSING) { drawing = false; continue; }
      const x = (k % length) * across, y = (high - value) * up;
      if (drawing) pen.lineTo(x, y); else pen.moveTo(x, y);
      drawing = true;
    }
    pen.strokeStyle = colour;
    pen.lineWidth = width * (this.scale || 1);
    pen.stroke();
  }
}

/** Lowest and highest of most samples, in steps; null where all are missing. */
export function rangeOf(values) {
  const known = Array.from(values).filter((value) => value !== MISSING).sort((a, b) => a - b);
  if (known.length < 10) return null;
  const low = known[Math.floor(0.002 * known.length)], high = known[Math.ceil(0.998 * known.length) - 1];
  const least = LEAST_RANGE_MV / STEP_MV, missing = Math.max(0, least - (high - low));
  return [low - missing / 2, high + missing / 2];
}
