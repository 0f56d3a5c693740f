/** A time in the unit that suits it: `42 ns`, `1.37 µs`. */
export function time(ns: number): string {
  if (ns < 1000) return `${digits(ns)} ns`;
  return ns < 1e6 ? `${digits(ns / 1000)} µs` : `${digits(ns / 1e6)} ms`;
}

export function megabytes(bytes: number): string {
  return `${digits(bytes / 1e6)} MB`;
}

/** Three digits; more than that the rounds do not agree on. */
export function digits(value: number): string {
  const whole = Math.abs(value) >= 100;
  return whole ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
