import { GATE_EVENTS, type GateEvents } from "../gate/events/events.js";
import type { Gate } from "../gate/gate.js";

/** An event that a gate emitted, with its name. */
export type RecordedEvent = {
  readonly [E in keyof GateEvents]: { readonly name: E; readonly event: GateEvents[E] };
}[keyof GateEvents];

/** The events of a gate, in order. */
export interface EventRecording {
  readonly events: readonly RecordedEvent[];
  /** The events with one name. */
  of<E extends keyof GateEvents>(name: E): GateEvents[E][];
  /** Stops recording. What was recorded stays. */
  stop(): void;
}

/** Records every event of a gate from now on. */
export function recordEvents(gate: Pick<Gate, "on">): EventRecording {
  const events: RecordedEvent[] = [];
  // Sound: the keys of a literal are those of its type, and `on` gives each listener the event of its name.
  const stops = (Object.keys(GATE_EVENTS) as (keyof GateEvents)[]).map((name) =>
    gate.on(name, (event) => void events.push({ name, event } as RecordedEvent)),
  );
  return {
    events,
    of: <E extends keyof GateEvents>(name: E) =>
      // Sound: as above.
      events.filter((one) => one.name === name).map(({ event }) => event as GateEvents[E]),
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}
