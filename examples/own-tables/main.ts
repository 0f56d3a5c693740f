import { createGate, priceCatalog } from "tollgate";
import { directory, token } from "./directory.js";

const model = "openai/gpt-5.4-mini";
const prices = priceCatalog.of({ [model]: { inputUsdPerMillion: 0.75, outputUsdPerMillion: 4.5 } });
const gate = createGate({ directory, prices });

const admission = await gate.admit(token, { model, inputTokens: 1200, maxOutputTokens: 800 });
if (!admission.admitted) throw new Error(admission.message);
console.log(`admitted: ${admission.userId} may call ${admission.models.join(", ")}`);

// Here the gateway calls the model. This is what it used:
const settlement = await gate.settle(admission.reservation, { inputTokens: 1200, outputTokens: 310 });
if (settlement.settled) console.log(`settled: ${settlement.charged.tokens} tokens`);
for (const { scope, meter, usd, used, max } of await gate.usage({ orgId: "acme", keyId: "key-7" })) {
  console.log(usd ? `${scope}: ${usd.used} of ${usd.max} USD` : `${scope}: ${used} of ${max} ${meter}`);
}

const other = await gate.admit(token, { model: "anthropic/claude-haiku-4-5", inputTokens: 10 });
if (!other.admitted) console.log(`refused: ${other.message}`);
await gate.close();
