/**
 * The shape of an hour of conversations with an LLM, measured from the "conv" trace of the Azure LLM inference dataset
 * of 2023 (19,366 calls in 58 minutes; CC-BY 4.0; Patel et al., "Splitwise: Efficient Generative LLM Inference Using
 * Phase Splitting", ISCA 2024).
 */

/** A quantile function: probability and value in turn, ascending; between two points it is a straight line. */
export type Quantiles = readonly (readonly [probability: number, value: number])[];

/** Calls per minute in each twelfth of the hour: it is not steady, it has a peak in the middle. */
export const CALLS_PER_MINUTE = [289, 284, 311, 312, 377, 448, 446, 368, 340, 285, 259, 228] as const;

/**
 * Squared coefficient of variation of the gaps between calls once the wave above is taken out: nearly those of
 * independent callers, who would have 1.
 */
export const GAP_SCV = 1.1;

/** Input tokens of a call. */
export const INPUT_TOKENS: Quantiles = [
  [0, 2],
  [0.01, 29],
  [0.02, 91],
  [0.05, 181],
  [0.1, 207],
  [0.15, 372],
  [0.2, 387],
  [0.25, 396],
  [0.3, 403],
  [0.35, 414],
  [0.4, 703],
  [0.45, 984],
  [0.5, 1020],
  [0.55, 1045],
  [0.6, 1071],
  [0.65, 1097],
  [0.7, 1130],
  [0.75, 1189],
  [0.8, 1315],
  [0.85, 1877],
  [0.9, 2735],
  [0.95, 4083],
  [0.98, 4098],
  [0.99, 4142],
  [0.999, 6212],
  [1, 14_050],
];

const OUTPUT_PROBABILITIES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1] as const;

/**
 * Output tokens of a call, for each tenth of the calls by their input. Not one curve and a correlation: the longest
 * answers go to prompts of middle length, and the rank correlation over all (0.07) would hide that.
 */
export const OUTPUT_TOKENS_BY_INPUT: readonly Quantiles[] = [
  [11, 66, 112, 161, 189, 217, 296, 1000],
  [7, 18, 59, 76, 99, 162, 217, 436],
  [24, 80, 88, 96, 109, 131, 171, 200],
  [25, 81, 89, 99, 113, 140, 200, 739],
  [10, 82, 122, 395, 415, 448, 609, 921],
  [33, 379, 394, 406, 428, 478, 667, 1000],
  [28, 377, 393, 407, 429, 500, 662, 1000],
  [26, 92, 180, 396, 417, 452, 643, 992],
  [15, 50, 70, 95, 138, 191, 421, 918],
  [17, 35, 43, 58, 87, 132, 261, 757],
].map((tokens) => OUTPUT_PROBABILITIES.map((probability, i) => [probability, tokens[i] ?? 0] as const));
