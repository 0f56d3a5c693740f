import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { characterCounter, estimateInputTokens, openAIMeter, type TokenCounter } from "tollgate";

/** A real tokenizer behind Tollgate's interface. It treats the name of a special token as plain text. */
const o200k: TokenCounter = { count: (text) => countTokens(text, { disallowedSpecial: new Set() }) };

const body = {
  model: "gpt-4o",
  messages: [
    { role: "system", content: "Answer in one sentence." },
    { role: "user", content: "Why is the sky blue, and why does <|endoftext|> not end this text?" },
  ],
};
const inputTokens = estimateInputTokens(body, { tokenCounter: o200k });
console.log(`input: ${inputTokens} tokens, by characters ${estimateInputTokens(body)}`);

// The client hangs up after the first words: they are counted with the same tokenizer.
const meter = openAIMeter({ tokenCounter: o200k });
const text = "Air scatters short waves more than long ones";
meter.push(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`);
console.log(`output: ${meter.actual().outputTokens} tokens, by characters ${characterCounter.count(text)}`);
