import { standardPolicy } from "tollgate";
import { type Claims, cells, laws, type NamesOf, prove } from "tollgate/testing";
import type { Contender } from "../contender.js";

/** As many claims about the standard policy as its own tests make. */
const claims: Claims<NamesOf<typeof standardPolicy>> = {
  ...laws,
  "only an owner does anything about the org": { of: { kind: "org" }, exactlyIf: { orgRole: "owner" } },
  "an owner does everything": { allowed: { orgRole: "owner" } },
  "whoever is only in the org may do nothing": { denied: { orgRole: "member", projectRole: null } },
  "only an owner deletes a project": {
    of: { permission: "project.delete" },
    exactlyIf: { orgRole: "owner" },
  },
  "a project is seen by whoever was added to it": {
    of: { permission: "project.view" },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: ["admin", "member"] }],
  },
  "everybody in a project has what is their own": {
    of: { kind: "owned", own: true },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: ["admin", "member"] }],
  },
  "what is other people's is for admins of the project": {
    of: { kind: "owned", own: false },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: "admin" }],
  },
};

/** One question is one whole proof. */
export function proof(): Contender {
  return {
    answer: "yes",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) if (prove(standardPolicy, claims).cells > 0) yes++;
      return yes;
    },
  };
}

/** One question is the list of all cells. */
export function enumeration(): Contender {
  return {
    answer: "yes",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) if (cells(standardPolicy).length > 0) yes++;
      return yes;
    },
  };
}

/** How many cells a proof goes through. */
export const CELLS = cells(standardPolicy).length;
