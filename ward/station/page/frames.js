// Reads the binary frames of the station's server; their layout stands in ward/station/frames.py.

export const NEWEST = 1, REVIEW = 2;
export const MISSING = -32768;
export const STEP_MV = 0.005;

/** What a frame holds: its kind, and of each bed its traces. Throws where it is none of ours. */
export function readFrame(buffer) {
  const view = new DataView(buffer);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (magic !== "ECGW" || view.getUint8(4) !== 1) throw new Error("a frame of another version: reload the page");
  const beds = [];
  let at = 8;
  for (let left = view.getUint16(6, true); left > 0; left--) {
    const bed = view.getUint16(at, true), count = view.getUint16(at + 2, true);
    const first = view.getUint32(at + 4, true), hz = view.getFloat32(at + 8, true);
    at += 12;
    const raw = new Int16Array(buffer, at, count), cleaned = new Int16Array(buffer, at + 2 * count, count);
    const marks = new Uint8Array(buffer, at + 4 * count, count);
    at += 5 * count + (count % 2);
    beds.push({ bed, first, hz, raw, cleaned, marks });
  }
  return { kind: view.getUint8(5), beds };
}
