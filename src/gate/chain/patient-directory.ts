import { within } from "../within.js";
import type { Directory } from "./directory.js";

/** How long a gate waits for an answer of its directory, in milliseconds. */
const ANSWER_MS = 10_000;

/** Wraps a directory so that nobody waits for ever: an answer that takes longer than ten seconds is an Error. */
export function patientDirectory(directory: Directory): Directory {
  const answered = <T>(answer: Promise<T>) =>
    within(ANSWER_MS, answer, () => new Error(`the directory did not answer within ${ANSWER_MS} ms`));
  const { scope } = directory;
  return {
    ...directory,
    key: (ref) => answered(directory.key(ref)),
    principal: (userId, orgId) => answered(directory.principal(userId, orgId)),
    ...(scope && { scope: (ref) => answered(scope(ref)) }),
  };
}
