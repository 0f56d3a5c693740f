const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en-US", {
  notation: "compact",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

/** `19,366`. */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** The same, but `-` for zero. */
export function countOrDash(value: number): string {
  return value === 0 ? "-" : count(value);
}

/** `13.2M`. */
export function compact(value: number): string {
  return COMPACT.format(value);
}

/** `$39.15`. */
export function dollars(usd: number): string {
  return DOLLARS.format(usd);
}

/** `3.9 %`; `-` if the whole is zero. */
export function percent(part: number, whole = 1, digits = 1): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(digits)} %`;
}

/** `2 projects`, `1 project`, `4 people`. */
export function plural(many: number, one: string, more = `${one}s`): string {
  return `${count(many)} ${many === 1 ? one : more}`;
}

/** `40 ms`, `1.4 s`, `12 s`, `5 h 14 min`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}

/** `18:15:46`, in UTC. */
export function timeOfDay(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

/** `2023-11-16`, in UTC. */
export function date(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
