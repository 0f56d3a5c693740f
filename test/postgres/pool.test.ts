import { describe, expect, it, vi } from "vitest";
import { answersOfStatement, isAboutValues, notMigrated } from "../../src/postgres/pool.js";

const failure = (code: string) => Object.assign(new Error("of the database"), { code });

/** A pool whose first statements fail with these codes. */
function failing(...codes: string[]) {
  const query = vi.fn(async () => {
    const code = codes.shift();
    if (code !== undefined) throw failure(code);
    return { rows: [{ answer: "yes" }] };
  });
  return { query };
}

describe("a statement", () => {
  it.each(["40001", "40P01"])(
    "that loses against another (%s) is tried again until it is through",
    async (code) => {
      const pool = failing(code, code, code, code);
      expect(await answersOfStatement(pool, "select", [])).toEqual(["yes"]);
      expect(pool.query).toHaveBeenCalledTimes(5);
    },
  );

  it("that always loses is tried 20 times, and then fails as it did", async () => {
    const pool = failing(...Array.from({ length: 30 }, () => "40001"));
    await expect(answersOfStatement(pool, "select", [])).rejects.toMatchObject({ code: "40001" });
    expect(pool.query).toHaveBeenCalledTimes(20);
  });

  it("that fails in another way is not sent twice: it may have been done", async () => {
    const pool = failing("57P01");
    await expect(answersOfStatement(pool, "select", [])).rejects.toMatchObject({ code: "57P01" });
    expect(pool.query).toHaveBeenCalledTimes(1);
  });
});

it.each(["42P01", "42883", "3F000"])("an error for what is not there (%s) says to migrate", (code) => {
  expect(notMigrated(failure(code), "postgresCounters")).toContain("call migrate() of postgresCounters");
});

it.each([failure("57014"), failure("08006"), new Error("closed"), "closed", null, undefined])(
  "%s says nothing about tables or values",
  (error) => {
    expect([notMigrated(error, "postgresCounters"), isAboutValues(error)]).toEqual([undefined, false]);
  },
);

it("an error is about values by its class: data, integrity or a limit of the program", () => {
  const codes = ["22003", "22P05", "23505", "54000", "40001", "57014", "2200", "220033", "x22003"];
  expect(codes.filter((code) => isAboutValues(failure(code)))).toEqual(["22003", "22P05", "23505", "54000"]);
});
