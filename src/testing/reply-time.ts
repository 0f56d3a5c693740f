import { ValidationError } from "../model/errors.js";

/** How long a call takes, as a model with three constants, each 0 or more. */
export interface ReplyTime {
  /** Milliseconds until the first output token after an empty prompt. */
  readonly firstTokenMs: number;
  /** Milliseconds that each input token adds to that. */
  readonly msPerInputToken: number;
  /** Milliseconds for each output token. */
  readonly msPerOutputToken: number;
}

/**
 * Roughly what large hosted models do: half a second to the first token after a prompt of 1,000, then 50 tokens a
 * second.
 */
export const HOSTED_MODEL: ReplyTime = { firstTokenMs: 400, msPerInputToken: 0.1, msPerOutputToken: 20 };

/** @throws ValidationError naming the constant that is no number of milliseconds */
export function checkReplyTime({ firstTokenMs, msPerInputToken, msPerOutputToken }: ReplyTime): void {
  for (const [name, ms] of Object.entries({ firstTokenMs, msPerInputToken, msPerOutputToken })) {
    if (Number.isFinite(ms) && ms >= 0) continue;
    throw new ValidationError([
      { field: `options.replyTime.${name}`, expected: "a number of milliseconds, 0 or more" },
    ]);
  }
}

/** Milliseconds from the arrival of a call to the end of its stream. */
export function replyMs(
  time: ReplyTime,
  { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number },
): number {
  return Math.round(
    time.firstTokenMs + inputTokens * time.msPerInputToken + outputTokens * time.msPerOutputToken,
  );
}
