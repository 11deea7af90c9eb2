// One bed large: ten seconds on paper, now or up to five minutes ago.

import { MISSING, STEP_MV } from "./frames.js";
import { rangeOf } from "./sweep.js";

const SHOWN_S = 10;
const RENEW_MS = 250;

export class Large {
  constructor(ask, colours) {
    this.ask = ask;
    this.colours = colours;
    this.dialog = document.getElementById("large");
    this.canvas = document.getElementById("large-trace");
    this.back = document.getElementById("back");
    this.bed = null;
    this.trace = null;
    this.dialog.addEventListener("close", () => { this.bed = null; });
    this.back.addEventListener("input", () => this.renew());
    setInterval(() => { if (this.bed) this.renew(); }, RENEW_MS);
    addEventListener("resize", () => this.draw());
  }

  open(bed) {
    this.bed = bed;
    this.trace = null;
    this.back.value = 0;
    if (!this.dialog.open) this.dialog.showModal();
    this.renew();
    this.tell(bed);
  }

  tell(bed) {
    if (!this.bed || bed.number !== this.bed.number) return;
    this.bed = bed;
    document.getElementById("large-name").textContent = `${bed.name} · lead ${bed.lead}`;
    const lost = bed.gaps ? `${bed.gaps} gaps (${bed.gap_samples} samples)` : "nothing lost";
    const delay = bed.delay_ms == null ? "delay unknown" : `delay ${bed.delay_ms.toFixed(0)} ms`;
    document.getElementById("large-state").textContent =
      [bed.state, `heart rate ${say(bed.cleaned_bpm)} cleaned, ${say(bed.raw_bpm)} raw`, delay, lost, bed.why].filter(Boolean).join(" · ");
  }

  renew() {
    const behind = -Number(this.back.value);
    document.getElementById("back-said").textContent = behind ? `${behind} s ago` : "now";
    const stop = Math.max(0, Math.round((this.bed.newest ?? 0) - behind * this.bed.hz));
    this.ask({ review: { bed: this.bed.number, from: Math.max(0, stop - Math.round(SHOWN_S * this.bed.hz)), to: stop } });
  }

  take(trace) {
    if (!this.bed || trace.bed !== this.bed.number) return;
    this.trace = trace;
    this.draw();
  }

  draw() {
    const { canvas, trace } = this;
    if (!this.bed || !trace) return;
    const scale = devicePixelRatio || 1, width = (canvas.width = Math.round(canvas.clientWidth * scale));
    const height = (canvas.height = Math.round(canvas.clientHeight * scale));
    const pen = canvas.getContext("2d"), length = Math.round(SHOWN_S * trace.hz);
    const range = rangeOf(trace.cleaned) ?? [-100, 300];
    this.paper(pen, width, height, range);
    for (const [values, colour, thick] of [[trace.raw, this.colours.raw, 1], [trace.cleaned, this.colours.cleaned, 2]]) {
      pen.beginPath();
      let drawing = false;
      values.forEach((value, k) => {
        if (value === MISSING) { drawing = false; return; }
        const x = (k * width) / length, y = (height * (range[1] - value)) / (range[1] - range[0]);
        if (drawing) pen.lineTo(x, y); else pen.moveTo(x, y);
        drawing = true;
      });
      pen.strokeStyle = colour;
      pen.lineWidth = thick * scale;
      pen.stroke();
    }
    canvas.setAttribute("aria-label", `${this.bed.name}: ${SHOWN_S} seconds of raw and cleaned ECG`);
  }

  /** A line each second and each half millivolt. */
  paper(pen, width, height, [low, high]) {
    pen.strokeStyle = this.colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let second = 1; second < SHOWN_S; second++) {
      pen.moveTo((second * width) / SHOWN_S, 0);
      pen.lineTo((second * width) / SHOWN_S, height);
    }
    const half = 0.5 / STEP_MV;
    for (let level = Math.ceil(low / half) * half; level < high; level += half) {
      pen.moveTo(0, (height * (high - level)) / (high - low));
      pen.lineTo(width, (height * (high - level)) / (high - low));
    }
    pen.stroke();
  }
}

export function say(rate) {
  return rate == null ? "--" : rate.toFixed(0);
}
