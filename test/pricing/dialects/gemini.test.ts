import { fromGemini, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

describe("fromGemini", () => {
  it("takes the prompt with its cached content, and adds the prompts of tool use and the thoughts", () => {
    const usage = {
      promptTokenCount: 1_000,
      cachedContentTokenCount: 600,
      toolUsePromptTokenCount: 50,
      candidatesTokenCount: 200,
      thoughtsTokenCount: 300,
      totalTokenCount: 1_550,
      trafficType: "ON_DEMAND_FLEX",
    };
    expect(fromGemini(usage)).toEqual({
      inputTokens: 1_050,
      cachedInputTokens: 600,
      outputTokens: 500,
      reasoningTokens: 300,
      serviceTier: "flex",
    });
  });

  it.each<[told: object, serviceTier: string | undefined]>([
    [{ serviceTier: "priority" }, "priority"],
    [{ serviceTier: "STANDARD" }, "standard"],
    [{ serviceTier: "flex", trafficType: "ON_DEMAND" }, "flex"],
    [{ trafficType: "ON_DEMAND" }, "standard"],
    [{ trafficType: "ON_DEMAND_PRIORITY" }, "priority"],
    [{ trafficType: "ON_DEMAND_FLEX" }, "flex"],
    [{ trafficType: "PROVISIONED_THROUGHPUT" }, undefined],
    [{ trafficType: "TRAFFIC_TYPE_UNSPECIFIED" }, undefined],
    [{}, undefined],
  ])(
    "takes the service tier that has served the call, on the Gemini API and on Vertex AI: %j",
    (told, serviceTier) => {
      expect(fromGemini({ promptTokenCount: 10, ...told }).serviceTier).toBe(serviceTier);
    },
  );

  it("adds no thoughts that the candidates contain, as the total says", () => {
    const usage = { promptTokenCount: 1_000, candidatesTokenCount: 500, thoughtsTokenCount: 300 };
    const told = { inputTokens: 1_000, reasoningTokens: 300 };
    expect(fromGemini({ ...usage, totalTokenCount: 1_500 })).toEqual({ ...told, outputTokens: 500 });
    expect(fromGemini({ ...usage, totalTokenCount: 1_800 })).toEqual({ ...told, outputTokens: 800 });
    expect(fromGemini(usage)).toEqual({ ...told, outputTokens: 800 });
  });

  it("takes no less than the thoughts for the output, where the total has less left", () => {
    const usage = { promptTokenCount: 10, thoughtsTokenCount: 5, totalTokenCount: 12 };
    expect(fromGemini(usage)).toEqual({ inputTokens: 10, outputTokens: 5, reasoningTokens: 5 });
    const within = { ...usage, candidatesTokenCount: 2 };
    expect(fromGemini(within)).toEqual({ inputTokens: 10, outputTokens: 5, reasoningTokens: 5 });
  });

  it("takes the thoughts for the output where no other count tells it", () => {
    expect(fromGemini({ thoughtsTokenCount: 5 })).toEqual({ outputTokens: 5, reasoningTokens: 5 });
  });

  it("takes the candidates of the Live API for what they are without a total", () => {
    const usage = { promptTokenCount: 10, responseTokenCount: 4 };
    expect(fromGemini(usage)).toEqual({ inputTokens: 10, outputTokens: 4 });
  });

  it("tells the audio in what tools gave to the prompt", () => {
    const details = [{ modality: "AUDIO", tokenCount: 30 }];
    const usage = {
      ...{ promptTokenCount: 10, toolUsePromptTokenCount: 40 },
      toolUsePromptTokensDetails: details,
    };
    expect(fromGemini(usage)).toEqual({ inputTokens: 50, audioInputTokens: 30 });
  });

  it("tells audio and images apart from text, less what was cached of them", () => {
    const usage = {
      promptTokenCount: 1_000,
      cachedContentTokenCount: 100,
      candidatesTokenCount: 1_300,
      promptTokensDetails: [
        { modality: "TEXT", tokenCount: 242 },
        { modality: "AUDIO", tokenCount: 500 },
        { modality: "IMAGE", tokenCount: 258 },
      ],
      cacheTokensDetails: [{ modality: "AUDIO", tokenCount: 100 }],
      candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 1_290 }],
    };
    expect(fromGemini(usage)).toEqual({
      inputTokens: 1_000,
      cachedInputTokens: 100,
      audioInputTokens: 400,
      imageInputTokens: 258,
      outputTokens: 1_300,
      imageOutputTokens: 1_290,
    });
  });

  it("tells no more audio and images than were not cached, where it is not told which were", () => {
    const promptTokensDetails = ["AUDIO", "IMAGE"].map((modality) => ({ modality, tokenCount: 40 }));
    const usage = { promptTokenCount: 100, cachedContentTokenCount: 50, promptTokensDetails };
    expect(fromGemini(usage)).toMatchObject({ audioInputTokens: 40, imageInputTokens: 10 });
  });

  it("takes what the total has left for an output that is not told, since zeros are not", () => {
    expect(fromGemini({ promptTokenCount: 10, totalTokenCount: 10 })).toEqual({
      inputTokens: 10,
      outputTokens: 0,
    });
    expect(fromGemini({ promptTokenCount: 10, thoughtsTokenCount: 5, totalTokenCount: 15 })).toEqual({
      inputTokens: 10,
      outputTokens: 5,
      reasoningTokens: 5,
    });
  });

  it("takes a whole answer as it takes its usage", () => {
    const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5 };
    expect(fromGemini({ candidates: [], usageMetadata })).toEqual({ inputTokens: 10, outputTokens: 5 });
    expect(fromGemini({ candidates: [], usageMetadata: null })).toEqual({});
  });

  it("knows that an embedding has no output, and takes one without usage for what says nothing", () => {
    const usageMetadata = { promptTokenCount: 8 };
    const told = { inputTokens: 8, outputTokens: 0 };
    expect(fromGemini({ embedding: { values: [0.5] }, usageMetadata })).toEqual(told);
    expect(fromGemini({ embeddings: [{ values: [0.5] }], usageMetadata })).toEqual(told);
    expect(fromGemini({ embedding: { values: [0.5] } })).toEqual({});
  });

  it("takes the modalities that embeddings and the Live API name otherwise", () => {
    const audio = (tokenCount: number) => [{ modality: "AUDIO", tokenCount }];
    const embedded = { promptTokenCount: 80, promptTokenDetails: audio(64) };
    expect(fromGemini({ embedding: {}, usageMetadata: embedded })).toMatchObject({ audioInputTokens: 64 });
    const live = {
      promptTokenCount: 100,
      responseTokenCount: 50,
      thoughtsTokenCount: 7,
      totalTokenCount: 157,
    };
    expect(fromGemini({ ...live, responseTokensDetails: audio(40) })).toEqual({
      inputTokens: 100,
      outputTokens: 57,
      reasoningTokens: 7,
      audioOutputTokens: 40,
    });
  });

  it("says nothing of what is not told", () => {
    expect(fromGemini({ promptTokenCount: 10 })).toEqual({ inputTokens: 10 });
    expect(fromGemini({ candidatesTokenCount: 0 })).toEqual({ outputTokens: 0 });
    expect(fromGemini(undefined)).toEqual({});
    expect(fromGemini(null)).toEqual({});
    expect(fromGemini({ candidates: [] })).toEqual({});
  });

  it.each<[unknown, string]>([
    [{ promptTokenCount: -1 }, "usageMetadata.promptTokenCount"],
    [{ promptTokenCount: 1, thoughtsTokenCount: "5" }, "usageMetadata.thoughtsTokenCount"],
    [{ promptTokenCount: 1, serviceTier: 5 }, "usageMetadata.serviceTier"],
    [{ promptTokenCount: 1, promptTokensDetails: {} }, "usageMetadata.promptTokensDetails"],
    [{ promptTokenCount: 1, promptTokensDetails: [5] }, "usageMetadata.promptTokensDetails[0]"],
    [
      { promptTokenCount: 1, candidatesTokensDetails: [{ modality: "AUDIO", tokenCount: 0.5 }] },
      "usageMetadata.candidatesTokensDetails[0].tokenCount",
    ],
    [{ prompt_tokens: 1 }, "usageMetadata"],
    [5, "usageMetadata"],
  ])("refuses %j and names %s", (usage, field) => {
    expect(() => fromGemini(usage)).toThrow(ValidationError);
    expect(() => fromGemini(usage)).toThrow(new RegExp(`^${field.replace(/[.[\]]/g, "\\$&")}: `));
  });
});
