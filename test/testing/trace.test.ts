import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { parseTrace } from "../../src/testing/trace.js";

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";
const FIRST = { at: Date.UTC(2023, 10, 16, 18, 15, 46, 680), inputTokens: 374, outputTokens: 44 };

describe("parseTrace", () => {
  it("reads timestamps as UTC and cuts digits below a millisecond", () => {
    expect(parseTrace(`${HEADER}\n2023-11-16 18:15:46.6805900,374,44`)).toEqual([FIRST]);
    expect(parseTrace("2023-11-16 18:15:46.6809999,374,44")).toEqual([FIRST]);
    expect(parseTrace("2023-11-16T18:15:46.68Z,374,44")).toEqual([FIRST]);
    expect(parseTrace("2023-11-16 18:15:46,1,0")[0]?.at).toBe(Date.UTC(2023, 10, 16, 18, 15, 46));
    expect(parseTrace("2024-02-29 23:59:59.999+00:00,0,0")[0]?.at).toBe(
      Date.UTC(2024, 1, 29, 23, 59, 59, 999),
    );
  });

  it.each([
    [
      "CRLF, and a last line that does not end",
      `${HEADER}\r\n2023-11-16 18:15:46.680,374,44\r\n2023-11-16 18:15:46.680,1,2`,
    ],
    ["no header", "2023-11-16 18:15:46.680,374,44\n2023-11-16 18:15:46.680,1,2\n"],
    [
      "empty lines at the end",
      `${HEADER}\n2023-11-16 18:15:46.680,374,44\n2023-11-16 18:15:46.680,1,2\n\r\n\n`,
    ],
    ["a byte order mark", `\uFEFF${HEADER}\n2023-11-16 18:15:46.680,374,44\n2023-11-16 18:15:46.680,1,2\n`],
  ])("takes a file with %s", (_, text) => {
    expect(parseTrace(text)).toEqual([FIRST, { at: FIRST.at, inputTokens: 1, outputTokens: 2 }]);
  });

  it("has no calls in an empty file, nor in one with a header only", () => {
    expect([parseTrace(""), parseTrace("\n"), parseTrace(`${HEADER}\r\n`)]).toEqual([[], [], []]);
  });

  it("sorts by arrival and leaves calls of the same millisecond in the order of the file", () => {
    const lines = ["00:00:02.0005,1,1", "00:00:01,2,2", "00:00:02.0001,3,3", "00:00:01,4,4"];
    const calls = parseTrace(lines.map((line) => `2023-11-16 ${line}`).join("\n"));
    expect(calls.map(({ inputTokens }) => inputTokens)).toEqual([2, 4, 1, 3]);
  });

  it.each([
    ["2023-11-16 18:15:46,374", /^line 3: three fields, TIMESTAMP,ContextTokens,GeneratedTokens$/],
    ["2023-11-16 18:15:46,374,44,9", /^line 3: three fields/],
    ["", /^line 3: three fields/],
    [HEADER, /^line 3: a UTC timestamp such as 2023-11-16 18:15:46\.680 in the first field$/],
    ["yesterday,374,44", /^line 3: a UTC timestamp/],
    ["2023-02-29 18:15:46,374,44", /^line 3: a UTC timestamp/],
    ["2023-11-16 24:00:00,374,44", /^line 3: a UTC timestamp/],
    ["2023-11-16 18:15:60,374,44", /^line 3: a UTC timestamp/],
    ["2023-13-16 18:15:46,374,44", /^line 3: a UTC timestamp/],
    ["0099-12-16 18:15:46,374,44", /^line 3: a UTC timestamp/],
    ["2023-11-16 18:15:46+02:00,374,44", /^line 3: a UTC timestamp/],
    [
      "2023-11-16 18:15:46,37.4,44",
      /^line 3: a whole number of tokens, at most 1000000000000, in the second field$/,
    ],
    ["2023-11-16 18:15:46,,44", /^line 3: a whole number of tokens.*second field$/],
    ["2023-11-16 18:15:46,374,-1", /^line 3: a whole number of tokens.*third field$/],
    ["2023-11-16 18:15:46,374, 44", /^line 3: a whole number of tokens.*third field$/],
    ["2023-11-16 18:15:46,374,9999999999999", /^line 3: a whole number of tokens.*third field$/],
  ])("names the number of a bad line and what was expected there: %s", (line, message) => {
    const text = `${HEADER}\n2023-11-16 18:15:46,374,44\n${line}\n2023-11-16 18:15:46,374,44\nalso bad\n`;
    expect(() => parseTrace(text)).toThrow(message);
    expect(() => parseTrace(text)).toThrow(ValidationError);
  });

  it("does not take a header of other columns for the header", () => {
    expect(() => parseTrace("arrived,in,out\n2023-11-16 18:15:46,374,44\n")).toThrow(
      /^line 1: a UTC timestamp/,
    );
  });
});
