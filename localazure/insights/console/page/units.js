// How numbers, times and names are written.

export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  if (milliseconds === 0) return "0 ms";
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(0)} µs`;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${(milliseconds / 60_000).toFixed(1)} min`;
}

export const count = (number) => Number(number).toLocaleString("en");

const two = (number) => String(number).padStart(2, "0");

/** The time of day here, with milliseconds where they are asked for. */
export function clock(moment, exact = false) {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return String(moment);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return exact ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
}

/** Date and time where it is another day. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock(at) : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(at)}`;
}

const known = new Map();
/** A colour of its own for each name, the same on every page: one of eight classes. */
export function colour(name) {
  if (!known.has(name)) {
    let hash = 7;
    for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 1_000_003;
    const taken = new Set(known.values());
    let place = hash % 8;
    if (taken.size < 8) while (taken.has(place)) place = (place + 1) % 8;
    known.set(name, place);
  }
  return `c${known.get(name)}`;
}

export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(part && part / whole < 0.1 ? 1 : 0)} %` : "–");
