export {
  A_PROJECT,
  AN_ORG,
  aKey,
  aMember,
  anAdmin,
  anOutsider,
  anOwner,
  aProjectMember,
  type Somebody,
} from "./builders.js";
export type { Ask, Authorizer, Cell, Change, Facts, Names, NamesOf, Place } from "./cell.js";
export { cells } from "./cells.js";
export type { Claim, ClaimOf, ClaimPart, Claims, OneOf, Pattern, Where } from "./claim.js";
export { diff, diffToMarkdown, type PolicyChange, type PolicyDiff } from "./diff.js";
export { explain } from "./explain.js";
export { laws } from "./laws.js";
export { type Counterexample, CounterexampleError, counterexamples, prove } from "./prove.js";
export { snapshot } from "./snapshot.js";
export { idle, type Survivor, type SurvivorReport, survivors } from "./survivors.js";
export { cellInWords, verdictInWords } from "./words.js";
