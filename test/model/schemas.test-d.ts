import * as z from "zod";
import { schemaOf } from "../../src/model/validation.js";

// Checked by the compiler alone: `npm run types`.

interface Wish {
  kind: "book" | "song";
  title?: string | undefined;
  from?: { readonly userId: string; note?: string | undefined }[] | undefined;
}

const from = z.array(z.strictObject({ userId: z.string(), note: z.string().optional() })).optional();

// A schema that says all of the type, whatever else it checks or makes of its input.
schemaOf<Wish>()(
  z
    .strictObject({ kind: z.enum(["song", "book"]), title: z.string().min(1).optional(), from })
    .refine(({ title }) => title !== "?"),
);
schemaOf<Wish["kind"]>()(z.enum(["book", "song"]));
schemaOf<{ at?: number | undefined }>()(
  z.strictObject({
    at: z
      .number()
      .nullish()
      .transform((at) => at ?? undefined),
  }),
);

// @ts-expect-error: it lacks a word
schemaOf<Wish["kind"]>()(z.enum(["book"]));
// @ts-expect-error: it has a word too many
schemaOf<Wish["kind"]>()(z.enum(["book", "song", "film"]));
// @ts-expect-error: it lacks a field that may be absent
schemaOf<Wish>()(z.strictObject({ kind: z.enum(["book", "song"]), from }));
// @ts-expect-error: it lacks a word in a field
schemaOf<Wish>()(z.strictObject({ kind: z.literal("book"), title: z.string().optional(), from }));
const nameless = z.array(z.strictObject({ userId: z.string() })).optional();
// @ts-expect-error: it lacks a field inside one that may be absent
schemaOf<Pick<Wish, "from">>()(z.strictObject({ from: nameless }));
// @ts-expect-error: it takes a part of what the type allows
schemaOf<{ id: string | number }>()(z.strictObject({ id: z.string() }));
// @ts-expect-error: it gives what the type has not
schemaOf<{ id: string }>()(z.strictObject({ id: z.number() }));
