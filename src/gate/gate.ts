import { randomBytes } from "node:crypto";
import type { LimitReading } from "../admission/limit-reading.js";
import { ReservationIds } from "../counters/reservation-ids.js";
import { ClosedError, ValidationError } from "../model/errors.js";
import type { Actual, More, Usage } from "../model/usage.js";
import type { Conditions } from "../policy/condition.js";
import type { Permissions, ResourceOf } from "../policy/permission.js";
import type { PermissionsOf, Policy } from "../policy/policy.js";
import type { Principal } from "../policy/principal.js";
import type { StandardPermissions, StandardPolicy } from "../policy/standard.js";
import type { Verdict } from "../policy/verdict.js";
import { type Authentication, authenticate } from "./authenticating.js";
import { authorize } from "./authorizing.js";
import type { Admission } from "./call/admission.js";
import { admit } from "./call/admitting.js";
import { extend } from "./call/extending.js";
import type { Reservation } from "./call/reservation.js";
import type { Settlement } from "./call/settlement.js";
import { release, settle } from "./call/settling.js";
import { toldAdmit, toldRelease, toldSettle } from "./call/telling.js";
import { checkedDirectory, type Directory } from "./chain/directory.js";
import type { KeyRef } from "./chain/key-resolver.js";
import { storageDirectory } from "./chain/storage-directory.js";
import { closeParts } from "./closing.js";
import type { Actor } from "./control/actor.js";
import { type ControlPlane, createControlPlane } from "./control/control-plane.js";
import { createEngine, type Engine } from "./engine.js";
import type { GateEvents, Listener } from "./events/events.js";
import { type GateOptions, type GateSettings, settingsFrom } from "./options.js";
import type { ReconcileQuery, Reconciliation } from "./reconcile/reconciliation.js";
import { reconcile } from "./reconcile/reconciling.js";
import { readUsage, type UsageQuery } from "./usage-reading.js";

/**
 * Answers, within one process, who may do what and which call may pass. Made by {@link createGate}.
 *
 * @typeParam P the permissions of its policy
 */
export interface Gate<P extends Permissions = StandardPermissions> {
  /** The policy that it asks, with which a question about a principal in hand is answered without a promise. */
  readonly policy: Policy<P, "owner" | "member", "admin" | "member">;
  /**
   * May this person do this? A person named by id is looked up as they are now.
   *
   * @param conditions which conditions of the policy hold for this call; one that is left out does not
   */
  authorize<K extends keyof P & string>(
    who: { readonly userId: string } | Principal,
    permission: K,
    resource: ResourceOf<P[K]>,
    conditions?: Conditions,
  ): Promise<Verdict>;
  /** Whom a token stands for now. */
  authenticate(token: string): Promise<Authentication>;
  /**
   * May this call pass now? Charges the estimate at every scope, or nothing anywhere.
   *
   * @throws ValidationError naming the field that is wrong
   * @throws ConflictError where `requestId` belongs to an open reservation with other usage
   */
  admit(key: KeyRef, usage: Usage): Promise<Admission>;
  /** The answer that `admit` would give now; nothing is charged. */
  check(key: KeyRef, usage: Usage): Promise<Admission>;
  /**
   * Corrects a reservation to what was really used, once, and closes it. Never refuses: the money is spent.
   *
   * @param reservation the object, its JSON, or what that parses to
   * @throws ValidationError naming the field that is wrong; nothing is settled
   * @throws CountersUnavailableError where the counters did not answer; it may be tried again
   */
  settle(reservation: Reservation | string, actual: Actual): Promise<Settlement>;
  /**
   * Asks for more in the middle of a long call. A refusal leaves the reservation as it was. The object handed in stands for
   * the whole from then on; who passes a reservation on as JSON passes on the one of the answer.
   *
   * @throws ConflictError where the reservation is no longer open
   */
  extend(reservation: Reservation | string, more: More): Promise<Admission>;
  /**
   * Undoes a reservation, for a call that was never sent. After dispatch, settle with what was seen.
   *
   * @throws CountersUnavailableError where the counters did not answer; it may be tried again
   */
  release(reservation: Reservation | string): Promise<Settlement>;
  /**
   * What every limit of the named scopes has used.
   *
   * @throws NotFoundError where the org has no such project, member or key
   * @throws CountersUnavailableError where the counters do not answer
   */
  usage(query: UsageQuery): Promise<LimitReading[]>;
  /**
   * Compares budgets with what the ledger adds up to, and names where they differ and the calls whose end it does not
   * know; raises counts that are too low where `rebuild` says so. For whoever runs the gateway: no permission is checked.
   *
   * @throws ValidationError where the gate has no ledger that can be read
   * @throws LedgerUnavailableError where what is pending in this process could not be written first
   * @throws CountersUnavailableError where the counters do not answer
   */
  reconcile(query: ReconcileQuery): Promise<Reconciliation>;
  /** Permission-checked writes as a person, or as a key acting for its holder. */
  as(actor: Actor): ControlPlane;
  /**
   * Adds a listener; the returned function removes it.
   *
   * @throws ValidationError where there is no such event
   */
  on<E extends keyof GateEvents>(event: E, listener: Listener<E>): () => void;
  /**
   * Waits for what is under way, at most `countersTimeoutMs`, gives the counters what was counted without them, and closes the
   * ledger, the counters, for which it waits as long, and the storage, once it has written when keys were last used, in five seconds
   * at most. Later calls, of a control plane too, reject with ClosedError, and so does one whose key is found too late; a second
   * close is the first one.
   *
   * @throws LedgerUnavailableError where the ledger could not write all that was pending, CountersUnavailableError where
   * the counters did not take what was counted without them or could not be closed in time, and what a storage throws that
   * cannot be written to; the rest is closed all the same
   */
  close(): Promise<void>;
}

/**
 * Makes a gate. Without options everything is in the memory of this process.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function createGate<Given extends StandardPolicy = StandardPolicy>(
  options: GateOptions<Given> = {},
): Gate<PermissionsOf<Given>> {
  const settings = settingsFrom(options);
  const { storage, counters, ledger } = settings;
  const ids = counters.direct?.ids ?? new ReservationIds(randomBytes(12).toString("base64url"));
  const engine = createEngine(settings, directoryFrom(settings), ids);
  const unwatch = [watchStorage(engine), watchDirectory(engine)];
  const unlisten = [
    ledger?.on("full", (event) => engine.events.emit("ledgerFull", event)),
    ledger?.on("failing", (event) => engine.events.emit("ledgerFailing", event)),
  ];
  let closed = false;
  let closing: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    closed = true;
    try {
      await closeParts(engine, unwatch);
    } finally {
      // Only now: what the ledger tells while it closes is passed on.
      for (const stop of unlisten) stop?.();
    }
  }

  /** @throws ClosedError where the gate is not open any more */
  function requireOpen(): void {
    if (closed) throw new ClosedError();
  }

  /** A call that closing waits for, where the gate is open. */
  async function whileOpen<T>(call: () => Promise<T>): Promise<T> {
    requireOpen();
    return engine.underWay.during(call);
  }

  return {
    // Sound: it is the one that was given, or the standard one where the type says that.
    policy: settings.policy as Gate<PermissionsOf<Given>>["policy"],
    authorize: (who, permission, resource, conditions) =>
      whileOpen(() => authorize(engine, who, permission, resource, conditions)),
    authenticate: (token) => whileOpen(() => authenticate(engine, token)),
    // `admit` and `settle` run for every call, so they return the promise they are given. An `async` function around it would make
    // another one, which costs a tenth of the call.
    admit(key, usage) {
      if (closed) return Promise.reject(new ClosedError());
      if (engine.events.wants("admission")) return toldAdmit(engine, key, usage);
      return admit(engine, key, usage, false);
    },
    async check(key, usage) {
      requireOpen();
      return admit(engine, key, usage, true);
    },
    settle(reservation, actual) {
      if (closed) return Promise.reject(new ClosedError());
      if (engine.events.wants("settlement")) return toldSettle(engine, reservation, actual);
      return settle(engine, reservation, actual);
    },
    extend: (reservation, more) => whileOpen(() => extend(engine, reservation, more)),
    async release(reservation) {
      requireOpen();
      if (engine.events.wants("settlement")) return toldRelease(engine, reservation);
      return release(engine, reservation);
    },
    usage: (query) => whileOpen(() => readUsage(engine, query)),
    reconcile: (query) => whileOpen(() => reconcile(engine, query)),
    as(actor) {
      requireOpen();
      if (storage === undefined) {
        throw new ValidationError([
          { field: "options.storage", expected: "a storage: a directory alone is read only" },
        ]);
      }
      return createControlPlane(engine, storage, actor, whileOpen);
    },
    on: (event, listener) => engine.events.on(event, listener),
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

/** Forgets the cached chains of an org once something in it was written, by whichever process. */
function watchStorage({ settings, chains }: Engine): (() => void) | undefined {
  return settings.storage?.watch?.(
    (changed) => {
      // When a key was last used is no part of its chain, and is written all the time.
      for (const { kind, orgId } of changed) if (kind !== "keyUse") chains.forgetOrg(orgId);
    },
    () => chains.clear(),
  );
}

/** The same where a directory of the caller's tells of changes. */
function watchDirectory({ directory, chains }: Engine): (() => void) | undefined {
  return directory.watch?.((orgId) => {
    if (orgId === undefined) chains.clear();
    else chains.forgetOrg(orgId);
  });
}

function directoryFrom({ directory, storage, clock }: GateSettings): Directory {
  if (directory !== undefined) return checkedDirectory(directory);
  if (storage === undefined) throw new Error("settings without a directory have a storage");
  return storageDirectory(storage, clock);
}
