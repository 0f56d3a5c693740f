import { describe, expect, it } from "vitest";
import { NO_CHARGES } from "../../src/admission/charge.js";
import { OpenReservations } from "../../src/counters/open-reservations.js";
import { ReservationIds } from "../../src/counters/reservation-ids.js";

describe("open reservations", () => {
  /** Some of which are kept by number and some by the text of their ids. */
  function kept() {
    const ids = new ReservationIds("n");
    const open = new OpenReservations(ids);
    const rest = { at: 0, idempotency: undefined, charges: NO_CHARGES, extensions: undefined };
    return {
      open,
      numbered(expiresAt: number) {
        const number = ids.take();
        open.addNumbered({ ...rest, id: ids.textOf(number), number, expiresAt });
      },
      named: (id: string, expiresAt: number) => open.add(id, { ...rest, expiresAt }),
    };
  }

  it("go when their TTL has passed, whether they are kept by number or by text", () => {
    const { open, numbered, named } = kept();
    numbered(10);
    named("a", 20);
    numbered(30);
    named("b", 40);
    const sizes = [9, 10, 19, 20, 29, 30, 39, 40].map((now) => {
      open.advance(now);
      return open.size;
    });
    expect(sizes).toEqual([4, 3, 3, 2, 2, 1, 1, 0]);
  });

  it("that outlive an older one's end behind it go when they are asked for", () => {
    const { open, named } = kept();
    named("long", 100);
    named("short", 10);
    open.advance(10);
    expect(open.size).toBe(2);
    expect(open.get("short")).toBe(undefined);
    expect(open.fate("short")).toBe("expired");
    expect(open.size).toBe(1);
  });
});
