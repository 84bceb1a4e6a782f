/** What a request costs on its way through, beside the bare proxy. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto"
import type { GatewayWords, Lab } from "../Lab.ts"
import { type Bar, exactly, figure, type Row } from "../Row.ts"
import { compare, type LoadWords, resultOf } from "../rounds.ts"
import { pause } from "../Lab.ts"
import { firstBytes } from "../firstBytes.ts"

const bare = "bare node:http → undici.dispatch"
const ratio = (max: number): Bar => ({ of: "ratio", max, unit: "×" })

const subjects = async (lab: Lab, words: GatewayWords) => {
  const nginx = await lab.nginx()
  const two = [await lab.floor(), await lab.gateway(words)]
  return nginx === undefined ? two : [...two, nginx]
}

const throughput = (name: string, path: string, max: number, words: GatewayWords, load: LoadWords = {}): Row => ({
  name,
  path,
  floor: bare,
  bars: [ratio(max)],
  run: async (lab) => resultOf(await compare(lab, await subjects(lab, words), load)),
})

export const get = throughput("get", "GET, 64 B reply, one route", 1.15, {})

export const logged = throughput("logged", "… + access log + metrics", 1.5, { accessLog: true })

/** Spans go to a receiver that takes them and does nothing with them. */
const sampling = (name: string, path: string, share: number, max: number): Row => ({
  name,
  path,
  floor: bare,
  bars: [ratio(max)],
  run: async (lab) => {
    const { port } = await lab.upstream()
    const tracing = { host: `127.0.0.1:${port}`, protocol: "http", randomSampling: share }
    // All of it is to be told, so what waits must have room.
    const env = { OTEL_BSP_MAX_QUEUE_SIZE: "1000000", OTEL_BSP_SCHEDULE_DELAY: "200" }
    return resultOf(await compare(lab, await subjects(lab, { accessLog: true, frontend: { tracing }, env })))
  },
})

export const sampled = sampling("sampled", "… + access log + metrics + 1 % of traces", 0.01, 1.5)
export const traced = sampling("traced", "… + access log + metrics + every trace", 1, 2)

/** What an API that is kept for its customers does for every request; one guard for keys, one for tokens. */
const guards = {
  keyed: () => {
    const key = randomBytes(24).toString("base64url")
    return {
      policy: { apiKey: { mode: "strict", keys: [{ key, metadata: { tier: "gold" } }] } },
      credential: key,
      who: "apiKey",
    }
  },
  signed: () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
    const claims = { iss: "https://bench.example", sub: "u", tier: "gold", exp: Math.floor(Date.now() / 1000) + 86_400 }
    const content = `${part({ alg: "RS256", kid: "k" })}.${part(claims)}`
    const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "RS256" }] })
    return {
      policy: { jwtAuth: { mode: "strict", issuer: claims.iss, jwks } },
      credential: `${content}.${sign("sha256", Buffer.from(content), privateKey).toString("base64url")}`,
      who: "jwt",
    }
  },
}

const guarded = (name: keyof typeof guards, what: string): Row => ({
  name,
  path: `… + ${what} + rule + rate limit by key + access log + metrics`,
  floor: bare,
  bars: [ratio(1.5)],
  run: async (lab) => {
    const { credential, policy, who } = guards[name]()
    const plenty = { maxTokens: 1_000_000_000, tokensPerFill: 1_000_000_000, fillInterval: "1s" }
    const route = await lab.route("/", {
      ...policy,
      authorization: {
        rules: [`${who}.tier == "gold" && request.method == "GET" && !request.path.startsWith("/admin")`],
      },
      localRateLimit: [{ ...plenty, key: `${who}.tier` }],
    })
    const all = await subjects(lab, { accessLog: true, routes: [route] })
    return resultOf(await compare(lab, all, { headers: { authorization: `Bearer ${credential}` } }))
  },
})

export const keyed = guarded("keyed", "API key")
export const signed = guarded("signed", "cached JWT")

const MEGABYTE = 1_000_000
/** Between these counts of requests memory must not grow. */
const FLAT_REQUESTS = 300

export const bodies: Row = {
  name: "bodies",
  path: "POST 1 MB, reply 1 MB",
  floor: bare,
  bars: [ratio(1.05), { of: "RSS after 3N against N requests", max: 1.1, unit: "×" }],
  run: async (lab) => {
    const load = { method: "POST", bodyBytes: MEGABYTE, connections: 8 } as const
    const all = await subjects(lab, {})
    const ours = all[1]
    if (ours === undefined) throw new Error("nothing to measure")
    const count = lab.settings.quick ? 10 : FLAT_REQUESTS
    const rss: Array<number> = []
    // What it takes to know the work is no growth.
    for (const requests of [count, count, count * 2]) {
      await lab.load({ ...load, port: ours.port, paths: ["/"], requests })
      await pause(lab.settings.quick ? 0 : 500)
      rss.push(ours.rssBytes())
    }
    const [, before = Number.NaN, after = Number.NaN] = rss
    const result = resultOf(await compare(lab, all, { ...load, ...(lab.settings.quick ? { requests: 20 } : {}) }))
    return {
      ...result,
      figures: { ...result.figures, "RSS after 3N against N requests": exactly(after / before) },
      more: { ...result.more, "RSS after N MB": before / 1e6, "RSS after 3N MB": after / 1e6 },
    }
  },
}

/** Replies timed one by one, by turns. */
const FIRST_BYTES = 150

export const events: Row = {
  name: "events",
  path: "SSE of 100 events, passed through",
  floor: bare,
  bars: [ratio(1.15), { of: "added time to the first byte", max: 1, unit: "ms" }],
  run: async (lab) => {
    const all = await subjects(lab, {})
    const load = { paths: ["/events"], ...(lab.settings.quick ? { requests: 40 } : {}) }
    const result = resultOf(await compare(lab, all, load))
    const [floor, ours] = all
    const direct = await lab.upstream()
    if (floor === undefined || ours === undefined) throw new Error("nothing to measure")
    const [alone = [], bareMillis = [], millis = []] = await firstBytes(
      [direct.port, floor.port, ours.port],
      "/paced",
      lab.settings.quick ? 3 : FIRST_BYTES,
    )
    const added = millis.map((value, i) => value - (alone[i] ?? Number.NaN))
    return {
      ...result,
      figures: { ...result.figures, "added time to the first byte": figure(added) },
      more: {
        ...result.more,
        "first byte direct ms": figure(alone).median,
        "first byte floor ms": figure(bareMillis).median,
        "first byte gateway ms": figure(millis).median,
      },
    }
  },
}
