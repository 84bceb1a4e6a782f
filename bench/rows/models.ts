/** What a call of a model costs on its way through: key, usage, cost, log and metrics included. */
import type { Lab } from "../Lab.ts"
import { compare, resultOf } from "../rounds.ts"
import type { Row } from "../Row.ts"

const parsing = "bare node:http → undici.dispatch, one JSON.parse each way"
const key = "bench-key"

/** About a kilobyte, as chats are. */
const body = (stream: boolean): string =>
  JSON.stringify({
    model: "bench-model",
    max_tokens: 256,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    messages: [
      { role: "system", content: "You answer briefly and to the point, in the language of the question. ".repeat(6) },
      { role: "user", content: "What is the difference between a gateway and a proxy, in two sentences? ".repeat(5) },
    ],
  })

const rates = { rates: { input: "1.25", output: "10", cacheRead: "0.125" } }

const gateway = async (lab: Lab, provider: unknown) => {
  const { port } = await lab.upstream()
  return lab.gateway({
    accessLog: true,
    config: {
      modelCatalog: [
        {
          inline: {
            providers: {
              bench: { models: { "served-model": rates } },
              anthropic: { models: { "served-model": rates } },
            },
          },
        },
      ],
    },
    routes: [
      {
        policies: {
          apiKey: {
            keys: [{ key, metadata: { team: "bench" } }],
            mode: "strict",
            location: { queryParameter: { name: "key" } },
          },
        },
        backends: [{ ai: { name: "bench", provider, hostOverride: `127.0.0.1:${port}` } }],
      },
    ],
  })
}

const path = `/v1/chat/completions?key=${key}`
const load = { method: "POST", paths: [path] } as const
const custom = { custom: { providerOverride: "bench", formats: [{ type: "completions" }] } }

export const chat: Row = {
  name: "chat",
  path: "chat completion 1 KB → 1 KB, same format, key, usage, cost, log, metrics",
  floor: parsing,
  bars: [{ of: "ratio", max: 1.5, unit: "×" }],
  run: async (lab) =>
    resultOf(await compare(lab, [await lab.floorJson(), await gateway(lab, custom)], { ...load, body: body(false) })),
}

export const translatedChat: Row = {
  name: "chat-translated",
  path: "… to a provider of another format",
  floor: parsing,
  bars: [{ of: "ratio", max: 2, unit: "×" }],
  run: async (lab) =>
    resultOf(
      await compare(lab, [await lab.floorJson(), await gateway(lab, { anthropic: {} })], {
        ...load,
        body: body(false),
      }),
    ),
}

export const chatEvents: Row = {
  name: "chat-events",
  path: "chat completion of 100 events, usage counted",
  floor: "bare node:http → undici.dispatch",
  bars: [{ of: "ratio", max: 1.15, unit: "×" }],
  run: async (lab) =>
    resultOf(
      await compare(lab, [await lab.floor(), await gateway(lab, custom)], {
        ...load,
        body: body(true),
        ...(lab.settings.quick ? { requests: 100 } : {}),
      }),
    ),
}
