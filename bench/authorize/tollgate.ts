import { type Policy, standardPolicy } from "tollgate";
import type { Contender } from "../contender.js";
import { askedFrom, QUESTIONS, type Question, questions } from "./questions.js";

export function contender(parameter: string): Contender {
  return authorizing(standardPolicy, parameter);
}

/** Puts the questions to a policy: of any permissions, since the questions hold many. */
export function authorizing(policy: Policy, parameter: string): Contender {
  const asked = askedFrom(parameter);
  const all = questions(asked);
  return {
    answer: asked === "allow" ? "yes" : "no",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { person, permission, resource } = all[i & (QUESTIONS - 1)] as Question; // sound: masked
        if (policy.authorize(person.principal, permission, resource).allowed) yes++;
      }
      return yes;
    },
  };
}
