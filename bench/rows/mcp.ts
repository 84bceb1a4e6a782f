/** What a call of a tool costs on its way through, and what a session takes. */
import { pause, type Lab } from "../Lab.ts"
import { compare, resultOf } from "../rounds.ts"
import { type Bar, exactly, figure, type Result, type Row } from "../Row.ts"
import type { Subject } from "../Subject.ts"

const bare = "bare node:http → undici.dispatch"
const ratio = (max: number): Bar => ({ of: "ratio", max, unit: "×" })
const path = "/mcp"

const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
}

const request = (method: string, params: object): string => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })

/** A call of a client without a session. */
const modernCall = (name: string) => ({
  method: "POST" as const,
  paths: [path],
  headers: {
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": name,
  },
  body: request("tools/call", { name, arguments: { city: "Hamburg", days: 3 }, _meta: envelope }),
})

const modernList = {
  method: "POST" as const,
  paths: [path],
  headers: {
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/list",
  },
  body: request("tools/list", { _meta: envelope }),
}

type Era = "legacy" | "modern"

const gateway = (lab: Lab, targets: ReadonlyArray<{ readonly port: number; readonly era: Era }>, collects = false) =>
  lab.gateway({
    collects,
    routes: [
      {
        // Whatever else is asked for is refused at once, which is how it is found out whether the gateway is there.
        matches: [{ path: { pathPrefix: path } }],
        backends: [
          {
            mcp: {
              dnsRebindingProtection: false,
              targets: targets.map(({ era, port }, i) => ({
                name: `t${i}`,
                mcp: { host: `http://127.0.0.1:${port}${path}` },
                protocol: era,
              })),
            },
          },
        ],
      },
    ],
  })

const server = (lab: Lab, ttlMillis = 0): Promise<Subject> => lab.run("server", "mcpServer.ts", [String(ttlMillis)])
const floor = (lab: Lab, { port }: Subject): Promise<Subject> => lab.run("floor", "floor.ts", [String(port)])

const post = async (port: number, body: string, headers: Record<string, string>): Promise<globalThis.Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  })

/** Begins a session, and gives its name. */
const begin = async (port: number): Promise<string> => {
  const accept = "application/json, text/event-stream"
  const info = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } }
  const reply = await post(port, request("initialize", info), { accept })
  await reply.text()
  return reply.headers.get("mcp-session-id") ?? ""
}

const called = (name: string, what: string, max: number, targets: ReadonlyArray<Era>, withSdk = false): Row => ({
  name,
  path: what,
  floor: bare,
  bars: [ratio(max)],
  run: async (lab) => {
    const upstream = await server(lab)
    const all = [
      await floor(lab, upstream),
      await gateway(
        lab,
        targets.map((era) => ({ era, port: upstream.port })),
      ),
    ]
    if (withSdk) all.push(await lab.run("SDK proxy", "sdkProxy.ts", [String(upstream.port)]))
    return resultOf(await compare(lab, all, modernCall(targets.length > 1 ? "t0_forecast" : "forecast")))
  },
})

export const sameEra = called("mcp-call", "MCP tools/call, one target, same era", 2, ["modern"], true)
export const otherEra = called("mcp-call-other", "… other era", 3, ["legacy"])
export const federated = called("mcp-call-federated", "… federated", 3, ["modern", "modern", "modern"])

export const inSession: Row = {
  name: "mcp-call-session",
  path: "… in a session, at a server with sessions",
  floor: bare,
  bars: [ratio(2)],
  run: async (lab) => {
    const upstream = await server(lab)
    const ours = await gateway(lab, [{ era: "legacy", port: upstream.port }])
    const session = await begin(ours.port)
    return resultOf(
      await compare(lab, [await floor(lab, upstream), ours], {
        method: "POST",
        paths: [path],
        headers: {
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2025-11-25",
          "mcp-session-id": session,
        },
        body: request("tools/call", { name: "forecast", arguments: { city: "Hamburg", days: 3 } }),
      }),
    )
  },
}

const TARGETS = 20
const LISTS = 200

export const lists: Row = {
  name: "mcp-list",
  path: "MCP tools/list over 20 targets",
  floor: "the slowest of them, all asked directly at once",
  bars: [
    { of: "added time", max: 2, unit: "ms" },
    { of: "cached, CPU", max: 0.15, unit: "ms" },
  ],
  run: async (lab): Promise<Result> => {
    const [asked, kept] = [await server(lab), await server(lab, 3_600_000)]
    const many = (port: number) => Array.from({ length: TARGETS }, () => ({ era: "modern" as const, port }))
    const [fresh, cached] = [await gateway(lab, many(asked.port)), await gateway(lab, many(kept.port))]
    const requests = lab.settings.quick ? 20 : LISTS
    const one = async (port: number): Promise<number> =>
      (await lab.load({ ...modernList, port, connections: 1, requests })).p50Micros / 1_000
    /** All targets are one process here, so the slowest has answered when that has answered so often. */
    const slowest = async (port: number): Promise<number> => {
      const all = { connections: TARGETS, requests: requests * TARGETS, together: true }
      return (await lab.load({ ...modernList, port, ...all })).p50Micros / 1_000
    }
    await one(fresh.port)
    // As everywhere else: what a new process spends on being compiled is not what a list costs.
    const warm = lab.settings.quick ? { requests } : { millis: lab.settings.warmMillis }
    await lab.load({ ...modernList, port: cached.port, connections: 8, ...warm })
    const rounds = lab.settings.quick ? 2 : 5
    const [alone, direct, through, cpu]: [Array<number>, Array<number>, Array<number>, Array<number>] = [[], [], [], []]
    for (let i = 0; i < rounds; i++) {
      alone.push(await one(asked.port))
      direct.push(await slowest(asked.port))
      through.push(await one(fresh.port))
      const before = cached.cpuMicros()
      const { requests: done } = await lab.load({
        ...modernList,
        port: cached.port,
        connections: 8,
        requests: requests * 5,
      })
      cpu.push((cached.cpuMicros() - before) / done / 1_000)
    }
    return {
      floor: figure(direct),
      ours: figure(through),
      unit: "ms",
      figures: {
        "added time": figure(through.map((millis, i) => millis - (direct[i] ?? Number.NaN))),
        "cached, CPU": figure(cpu),
      },
      more: { targets: TARGETS, "tools listed": TARGETS * 5, "one target alone, ms": figure(alone).median },
    }
  },
}

export const sessions: Row = {
  name: "mcp-memory",
  path: "memory per MCP session",
  floor: "none",
  bars: [{ of: "held per session", max: 10, unit: "kB" }],
  run: async (lab) => {
    const upstream = await server(lab)
    const ours = await gateway(lab, [{ era: "legacy", port: upstream.port }], true)
    const more = lab.settings.quick ? 50 : 900
    const grow = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 25) await Promise.all(Array.from({ length: 25 }, () => begin(ours.port)))
      await pause(lab.settings.quick ? 0 : 500)
    }
    await grow(75)
    const before = await lab.memory(ours)
    await grow(more)
    const after = await lab.memory(ours)
    const held = (after.heldBytes - before.heldBytes) / more / 1e3
    return {
      ours: exactly(held),
      unit: "kB held by V8",
      figures: { "held per session": exactly(held) },
      more: { sessions: more, "RSS kB": (after.rssBytes - before.rssBytes) / more / 1e3 },
    }
  },
}
