/** The part of the web's `Headers` that is used. */
export interface WebHeaders {
  get(name: string): string | null;
  forEach(callback: (value: string, name: string) => void): void;
}

/** The headers of a request in any form: the web's `Headers`, Node's, or a plain record with names in any case. */
export type HeadersLike = WebHeaders | { readonly [name: string]: string | readonly string[] | undefined };

/** The first value of a header, by its name in lower case. Undefined if there is none. */
export function headerOf(headers: HeadersLike, name: string): string | undefined {
  if (isWebHeaders(headers)) return headers.get(name) ?? undefined;
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name && value !== undefined)
      return typeof value === "string" ? value : value[0];
  }
  return undefined;
}

/** Every header by its name in lower case. Repeated ones are joined as in RFC 9110. */
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
