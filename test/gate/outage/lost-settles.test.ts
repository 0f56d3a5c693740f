import { describe, expect, it } from "vitest";
import { LostSettles } from "../../../src/gate/outage/lost-settles.js";
import { ValidationError } from "../../../src/model/errors.js";

describe("settles that failed without an answer", () => {
  it("are kept up to a bound, and beyond it the oldest is forgotten", () => {
    const lost = new LostSettles();
    const told: string[] = [];
    const ids = Array.from({ length: 4_097 }, (_, i) => `r${i}`);
    for (const id of ids) lost.note(id, new Error("broken"), () => void told.push(id));
    for (const id of ids) lost.tell(id);
    expect(told).toEqual(ids.slice(1));
  });

  it("are told of once, by the first try; not after a mistake, or once the ledger knows of it in another way", () => {
    const lost = new LostSettles();
    const told: string[] = [];
    const note = (id: string, error: Error, text: string) => lost.note(id, error, () => void told.push(text));
    note("a", new Error("broken"), "the first try");
    note("a", new Error("broken"), "the second try");
    note("b", new ValidationError([{ field: "actual", expected: "x" }]), "a mistake");
    note("c", new Error("broken"), "known");
    lost.noteTold("c");
    note("c", new Error("broken"), "later");
    expect(lost.wasTold("a")).toBe(false);
    for (const id of ["a", "a", "b", "c"]) lost.tell(id);
    expect(told).toEqual(["the first try"]);
    expect([lost.wasTold("a"), lost.wasTold("b"), lost.wasTold("c")]).toEqual([true, false, true]);
  });
});
