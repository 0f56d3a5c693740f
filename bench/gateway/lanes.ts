/** What stands before the provider. */
export type Lane = "none" | "memory" | "redis";

/** What a process of the load run says of itself once it listens. */
export interface Told {
  readonly url: string;
  readonly token: string;
}
