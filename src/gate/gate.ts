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
import { patientDirectory } from "./chain/patient-directory.js";
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
 * After `close`, every method except `on` and `close` rejects with ClosedError (`as` throws it). Errors of the
 * directory or storage are passed on. What waits for the directory rejects with an Error after ten seconds.
 *
 * @typeParam P the permissions of the gate's policy
 */
export interface Gate<P extends Permissions = StandardPermissions> {
  /** The gate's policy. Use it to ask about a principal you already have, without a promise. */
  readonly policy: Policy<P, "owner" | "member", "admin" | "member">;
  /**
   * Decides whether somebody may do something. A person given by user id is looked up as they are now.
   *
   * @param who a user id, or a principal that you trust
   * @param permission a permission of the policy. Any other is denied as `unknown_permission`.
   * @param resource the org, project or thing it is about
   * @param conditions the policy's conditions that hold for this call. One that is left out does not hold.
   * @throws ValidationError if `who`, `resource` or `conditions` has the wrong form
   */
  authorize<K extends keyof P & string>(
    who: { readonly userId: string } | Principal,
    permission: K,
    resource: ResourceOf<P[K]>,
    conditions?: Conditions,
  ): Promise<Verdict>;
  /**
   * Finds out whom a token stands for now.
   *
   * @throws ValidationError if `token` is not a string
   */
  authenticate(token: string): Promise<Authentication>;
  /**
   * Decides whether a call may pass now. It charges the estimate at every scope, or nothing at all.
   *
   * @param key the client's token, or the id of a key
   * @param usage what the call is about to use
   * @throws ValidationError naming the field that is wrong or missing
   * @throws ConflictError if `requestId` belongs to an open reservation of this key with other usage
   */
  admit(key: KeyRef, usage: Usage): Promise<Admission>;
  /**
   * Gives the answer that `admit` would give now, without charging anything.
   *
   * @throws ValidationError as `admit` does
   * @throws ConflictError as `admit` does
   */
  check(key: KeyRef, usage: Usage): Promise<Admission>;
  /**
   * Corrects a reservation to what was really used, and closes it. It is never refused: the money is spent. A second
   * settle changes nothing and answers `already_settled`.
   *
   * @param reservation the object, its JSON text, or what that parses to
   * @param actual what was used. A field that is left out stays as it was reserved.
   * @throws ValidationError naming the field that is wrong. Nothing is settled then.
   * @throws CountersUnavailableError if the counters did not answer. The settle can be retried.
   */
  settle(reservation: Reservation | string, actual: Actual): Promise<Settlement>;
  /**
   * Asks for more in the middle of a long call. A refusal leaves the reservation as it was.
   *
   * After an admission, the object passed in stands for the whole reservation. If you keep reservations as JSON, keep
   * the one in the answer.
   *
   * @throws ValidationError naming the field that is wrong
   * @throws ConflictError if the reservation is no longer open
   */
  extend(reservation: Reservation | string, more: More): Promise<Admission>;
  /**
   * Undoes a reservation, for a call that was never sent. Once it was sent, settle with what was seen.
   *
   * @throws ValidationError if `reservation` is not a reservation
   * @throws CountersUnavailableError if the counters did not answer. The release can be retried.
   */
  release(reservation: Reservation | string): Promise<Settlement>;
  /**
   * Reads every limit of the given scopes, in the order org, project, member, key. It checks no permission: whoever shows
   * the answer to a person decides which scopes that person may see.
   *
   * @throws ValidationError naming the field that is wrong, or if a directory without `scope` is asked without `keyId`
   * @throws NotFoundError if the org has no such project, member or key
   * @throws CountersUnavailableError if the counters did not answer
   */
  usage(query: UsageQuery): Promise<LimitReading[]>;
  /**
   * Compares budgets with the ledger, and reports where they differ and which calls have no known end. With `rebuild`
   * it raises counts that are too low. It is meant for whoever runs the gateway and checks no permission.
   *
   * @throws ValidationError if the gate has no ledger that can be read
   * @throws LedgerUnavailableError if events pending in this process could not be written first
   * @throws CountersUnavailableError if the counters did not answer
   */
  reconcile(query: ReconcileQuery): Promise<Reconciliation>;
  /**
   * Returns the control plane for a user, or for a key acting for its holder. Every write checks its permissions.
   *
   * @throws ValidationError if the actor has neither a user id nor a token, or if the gate has no storage
   */
  as(actor: Actor): ControlPlane;
  /**
   * Adds a listener.
   *
   * @returns a function that removes the listener
   * @throws ValidationError if there is no such event, or `listener` is not a function
   */
  on<E extends keyof GateEvents>(event: E, listener: Listener<E>): () => void;
  /**
   * Closes the gate. A second call returns the first one's promise.
   *
   * It waits for calls under way, for at most `countersTimeoutMs`; hands the counters what was counted without them;
   * closes the ledger, then the counters, again waiting at most `countersTimeoutMs`; writes when keys were last used,
   * for at most five seconds; and closes the storage. Every step is taken, even if another fails. A call whose key is
   * looked up too late rejects with ClosedError.
   *
   * @throws LedgerUnavailableError if the ledger could not write all pending events
   * @throws CountersUnavailableError if the counters did not take what was counted without them, or did not close in
   *   time
   * @throws what a storage throws that cannot be written to or closed
   */
  close(): Promise<void>;
}

/**
 * Makes a gate. Without options, everything is kept in the memory of this process.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function createGate<Given extends StandardPolicy = StandardPolicy>(
  options: GateOptions<Given> = {},
): Gate<PermissionsOf<Given>> {
  const settings = settingsFrom(options);
  const { storage, counters, ledger } = settings;
  const ids = counters.direct?.ids ?? new ReservationIds(randomBytes(12).toString("base64url"));
  const engine = createEngine(settings, patientDirectory(directoryFrom(settings)), ids);
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
      // Only now, so that what the ledger reports while it closes is passed on.
      for (const stop of unlisten) stop?.();
    }
  }

  /** @throws ClosedError if the gate has been closed */
  function requireOpen(): void {
    if (closed) throw new ClosedError();
  }

  /** Makes a call that closing the gate waits for. */
  async function whileOpen<T>(call: () => Promise<T>): Promise<T> {
    requireOpen();
    return engine.underWay.during(call);
  }

  return {
    // Sound: it is the policy that was given, or the standard one if the type says so.
    policy: settings.policy as Gate<PermissionsOf<Given>>["policy"],
    authorize: (who, permission, resource, conditions) =>
      whileOpen(() => authorize(engine, who, permission, resource, conditions)),
    authenticate: (token) => whileOpen(() => authenticate(engine, token)),
    // `admit` and `settle` run for every call, so they return the promise they are given. An `async` function around it
    // would make another promise, which costs a tenth of the call.
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
        const expected =
          "a storage: over a directory alone, change your own tables, and ask ledger.report for reports";
        throw new ValidationError([{ field: "options.storage", expected }]);
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

/** Forgets the cached chains of an org once something in it was written, in any process. */
function watchStorage({ settings, chains }: Engine): (() => void) | undefined {
  return settings.storage?.watch?.(
    (changed) => {
      // When a key was last used is not part of its chain, and is written all the time.
      for (const { kind, orgId } of changed) if (kind !== "keyUse") chains.forgetOrg(orgId);
    },
    () => chains.clear(),
  );
}

/** The same for a directory that reports changes. */
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
