/**
 * The libraries that tollgate is measured against, by the few of their exports that are used.
 *
 * They are installed by `bench/run.sh` alone, so the types of the packages themselves may not be at hand when the
 * project is type-checked. The casts are sound for the versions that `bench/package.json` pins.
 */

/** `@casl/ability`. */
export interface Casl {
  createMongoAbility(rules: readonly CaslRule[]): { can(action: string, subject: object): boolean };
  /** Marks an object as a subject of a type. */
  subject<T extends object>(type: string, object: T): T;
}

export interface CaslRule {
  readonly action: string | readonly string[];
  readonly subject: string;
  readonly conditions: Readonly<Record<string, unknown>>;
}

/** `casbin`. */
export interface Casbin {
  newEnforcer(model: CasbinModel): Promise<CasbinEnforcer>;
  newModelFromString(text: string): CasbinModel;
}

export interface CasbinModel {
  readonly model: unknown;
}

export interface CasbinEnforcer {
  addPolicies(rules: string[][]): Promise<boolean>;
  addGroupingPolicies(rules: string[][]): Promise<boolean>;
  enforceSync(...request: string[]): boolean;
}

/** `rate-limiter-flexible`. */
export interface FlexibleLimiter {
  /** Rejects with a {@link FlexibleState} where the points are used up. */
  consume(key: string, points: number): Promise<FlexibleState>;
}

export interface FlexibleState {
  readonly remainingPoints: number;
  readonly msBeforeNext: number;
}

export interface Flexible {
  readonly RateLimiterPostgres: new (
    options: {
      readonly storeClient: object;
      readonly storeType: string;
      readonly schemaName: string;
      readonly tableName: string;
      readonly points: number;
      /** Seconds. */
      readonly duration: number;
      readonly keyPrefix: string;
    },
    ready: (error?: Error) => void,
  ) => FlexibleLimiter;
  readonly RateLimiterMemory: new (options: {
    readonly points: number;
    /** Seconds. */
    readonly duration: number;
    readonly keyPrefix: string;
  }) => FlexibleLimiter;
  readonly RateLimiterRedis: new (options: {
    readonly storeClient: unknown;
    /** For clients of node-redis. */
    readonly useRedisPackage?: boolean;
    readonly points: number;
    /** Seconds. */
    readonly duration: number;
    readonly keyPrefix: string;
  }) => FlexibleLimiter;
}

export const casl = () => load("@casl/ability") as Promise<Casl>;
export const casbin = () => load("casbin") as Promise<Casbin>;
export const flexible = () => load("rate-limiter-flexible") as Promise<Flexible>;

function load(name: string): Promise<unknown> {
  return import(name);
}
