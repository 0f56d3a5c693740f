import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { matrix, standardPolicy, toMarkdown } from "tollgate";
import { describe, expect, it, test } from "vitest";
import { RATE_NAMES } from "../../src/admission/limit.js";
import { GATE_EVENTS } from "../../src/gate/events/events.js";
import { METRICS } from "../../src/metrics/metrics.js";
import { budgetResetSchema } from "../../src/model/limits.js";

const root = resolve(import.meta.dirname, "../..");

const pages = [
  "README.md",
  "CHANGELOG.md",
  ...["docs", "docs/benchmarks", "docs/guides", "docs/internals"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`),
  ),
];

const textOf = (page: string) => readFileSync(join(root, page), "utf8");

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  const text = heading.toLowerCase().replace(/[^\p{Letter}\p{Number} _-]/gu, "");
  return text.replaceAll(" ", "-");
}

const anchorsIn = (page: string) =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));

/** The links of a page to other files and to headings, each with the file it is to. A link may be broken over two lines. */
function linksOf(page: string): { href: string; file: string; anchor: string | undefined }[] {
  const hrefs = [
    ...textOf(page)
      .replaceAll("\n", " ")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, href = ""]) => href);
  return hrefs
    .filter((href) => !/^https?:/.test(href))
    .map((href) => {
      const [path, anchor] = href.split("#");
      return { href, file: path ? join(dirname(page), path) : page, anchor };
    });
}

/** The files of this repository that a page names. */
const namedIn = (page: string) =>
  [...textOf(page).matchAll(/`((?:bench|examples|src|test|\.ci)\/[\w./-]*)`/g)].map(([, path = ""]) => path);

describe("the pages", () => {
  it("link to each other, and name files", () => {
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(50);
    expect(pages.flatMap(namedIn).length).toBeGreaterThan(30);
  });

  test.each(pages)("%s links to files and headings that are there", (page) => {
    const broken = linksOf(page).filter(({ file, anchor }) => {
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && !anchorsIn(file).includes(anchor);
    });
    expect(broken.map(({ href }) => href)).toEqual([]);
  });

  test.each(pages)("%s names tests, sources and examples that are there", (page) => {
    expect(namedIn(page).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

it("the README has the matrix of the standard policy", () => {
  expect(textOf("README.md")).toContain(`\n\n${toMarkdown(matrix(standardPolicy))}\n\n`);
});

it("the page on metrics has every event of a gate", () => {
  const rows = textOf("docs/guides/metrics.md").match(/^\| `\w+`.*? \|/gm) ?? [];
  const events = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, event]) => event));
  expect(events.sort()).toEqual(Object.keys(GATE_EVENTS).sort());
});

it("the page on metrics has every metric", () => {
  const rows = [...textOf("docs/guides/metrics.md").matchAll(/^\| `([\w.]+\.\w+)` \|/gm)];
  expect(rows.map(([, name]) => name).sort()).toEqual(Object.keys(METRICS).sort());
});

it("the page on limits has every limit, and every reset of a budget", () => {
  const [, table = ""] = /\| field \|(.*?)\n\n/s.exec(textOf("docs/guides/limits.md")) ?? [];
  const named = [...table.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(named).toEqual(expect.arrayContaining([...RATE_NAMES, ...budgetResetSchema.options]));
});
