import type { Admission, Admitted, Gate, LimitReading, Refused, Settlement, UsageQuery } from "tollgate";

/** An admission that was given; throws where the call was refused. */
export function passed(admission: Admission): Admitted {
  if (!admission.admitted) throw new Error(`refused: ${admission.reason}: ${admission.message}`);
  return admission;
}

/** A refusal; throws where the call was admitted. */
export function refusedBy(admission: Admission): Refused {
  if (admission.admitted) throw new Error("admitted");
  return admission;
}

/** A settlement that was made; throws where the reservation was no longer open. */
export function settled(settlement: Settlement): Extract<Settlement, { settled: true }> {
  if (!settlement.settled) throw new Error(`not settled: ${settlement.reason}`);
  return settlement;
}

/** The one limit of a scope that counts `meter`, as `gate.usage` reads it. */
export async function readingOf(
  gate: Gate,
  meter: LimitReading["meter"],
  scope: LimitReading["scope"] = "key",
  query: UsageQuery = { orgId: "o1", keyId: "k1" },
): Promise<LimitReading> {
  const readings = await gate.usage(query);
  const [reading, ...more] = readings.filter((one) => one.meter === meter && one.scope === scope);
  if (!reading || more.length > 0) throw new Error(`exactly one limit of ${meter} at the ${scope}`);
  return reading;
}
