import { type FieldProblem, isTollgateError, type TollgateError } from "tollgate";

// Checked by the compiler alone: `npm run types`.

declare const error: unknown;

// A code names the class, with all that its errors say.
if (isTollgateError(error, "validation")) error.problems satisfies readonly FieldProblem[];
else if (isTollgateError(error, "permission")) error.permission satisfies string;
else if (isTollgateError(error, "limit")) error.field satisfies string;
else if (isTollgateError(error)) error satisfies TollgateError;
// @ts-expect-error there is no such code
isTollgateError(error, "forbidden");
