/** The headers of the web's `Request`, as far as they are needed here. */
export interface WebHeaders {
  get(name: string): string | null;
  forEach(callback: (value: string, name: string) => void): void;
}

/** Headers of a request in any of their shapes: the web's, Node's, or a plain record in any case. */
export type HeadersLike = WebHeaders | { readonly [name: string]: string | readonly string[] | undefined };

/** The first value of a header, by its name in lower case; undefined where there is none. */
export function headerOf(headers: HeadersLike, name: string): string | undefined {
  if (isWebHeaders(headers)) return headers.get(name) ?? undefined;
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name && value !== undefined)
      return typeof value === "string" ? value : value[0];
  }
  return undefined;
}

/** Every header by its name in lower case; what was sent several times is joined as RFC 9110 joins it. */
export function entriesOf(headers: HeadersLike): [name: string, value: string][] {
  const entries: [string, string][] = [];
  if (isWebHeaders(headers)) {
    headers.forEach((value, name) => {
      entries.push([name.toLowerCase(), value]);
    });
    return entries;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    entries.push([name.toLowerCase(), typeof value === "string" ? value : value.join(", ")]);
  }
  return entries;
}

function isWebHeaders(headers: HeadersLike): headers is WebHeaders {
  return typeof headers.get === "function";
}
