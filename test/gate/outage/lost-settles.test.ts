import { describe, expect, it } from "vitest";
import { LostSettles } from "../../../src/gate/outage/lost-settles.js";

describe("settles that failed without an answer", () => {
  it("are kept up to a bound, and beyond it the oldest is forgotten", () => {
    const lost = new LostSettles();
    const told: string[] = [];
    const ids = Array.from({ length: 4_097 }, (_, i) => `r${i}`);
    for (const id of ids) lost.note(id, new Error("broken"), () => told.push(id));
    for (const id of ids) lost.tell(id);
    expect(told).toEqual(ids.slice(1));
  });
});
