import type { Verdict } from "../../policy/verdict.js";
import type { Cell } from "./cell.js";
import type { Claim } from "./claim.js";

/** A claim without names of a particular policy, so that it can stand among the claims about any. */
type Law =
  | Extract<Claim, { readonly denied: unknown }>
  | ((
      cell: Cell,
      ask: (change?: {
        readonly orgRole?: null;
        readonly projectRole?: null;
        readonly otherProjectRole?: null;
        readonly key?: null;
        readonly own?: boolean;
        readonly without?: never;
      }) => Verdict,
    ) => boolean);

/**
 * Laws that hold for every policy, whoever wrote it. Add them to your proofs to see them stated.
 *
 * They are ordinary claims: `prove(policy, { ...laws, "…": … })`.
 */
export const laws = {
  "nothing crosses an org": { denied: { sameOrg: false, key: [null, "here", "elsewhere"] } },
  "nobody outside the org may do anything": { denied: { orgRole: null, key: [null, "here", "elsewhere"] } },
  "a key never reaches more than its holder": (cell, ask) =>
    cell.key === null || !ask().allowed || ask({ key: null }).allowed,
  "a key reaches nothing outside its project, and nothing about the org": (cell, ask) =>
    !ask().allowed || cell.key === null || (cell.key === "here" && cell.kind !== "org"),
  "losing a role never gains": (_, ask) =>
    ask().allowed ||
    (!ask({ orgRole: null }).allowed &&
      !ask({ projectRole: null }).allowed &&
      !ask({ otherProjectRole: null }).allowed),
  "a project role never reaches another project, nor the org": (cell, ask) =>
    ask().allowed === ask({ otherProjectRole: null }).allowed &&
    (cell.kind !== "org" || ask().allowed === ask({ projectRole: null }).allowed),
  "whoever reaches what is somebody else's reaches what is their own": (cell, ask) =>
    cell.kind !== "owned" || !ask({ own: false }).allowed || ask({ own: true }).allowed,
  "a condition that holds never takes anything away": ({ conditions }, ask) =>
    ask().allowed ||
    // Sound: each is a condition of the policy whose cell it is, whatever their names are.
    Object.keys(conditions).every((name) => !ask({ without: name as never }).allowed),
} as const satisfies Readonly<Record<string, Law>>;
