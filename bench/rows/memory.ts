/** What the gateway holds when it has nothing to do, and for each stream that is merely open. */
import * as net from "node:net"
import { join } from "node:path"
import { bundled } from "../bundle.ts"
import { type Lab, once, pause } from "../Lab.ts"
import { requestOf } from "../load.ts"
import { exactly, type Row } from "../Row.ts"
import type { Subject } from "../Subject.ts"

const SETTLED_MILLIS = 3_000

const idling = (name: string, path: string, start: (lab: Lab) => Promise<Subject>): Row => ({
  name,
  path,
  floor: "bare proxy",
  bars: [{ of: "RSS", max: 90, unit: "MB" }],
  run: async (lab) => {
    const floor = await lab.floor()
    const gateway = await start(lab)
    for (const { port } of [floor, gateway]) await once(port)
    await pause(lab.settings.quick ? 100 : SETTLED_MILLIS)
    const [bare, ours] = [exactly(floor.rssBytes() / 1e6), exactly(gateway.rssBytes() / 1e6)]
    return { floor: bare, ours, unit: "MB RSS", figures: { RSS: ours }, more: {} }
  },
})

const program = join(import.meta.dirname, "../../src/start.cjs")

/** The first start leaves behind what the next one finds, as installing does. */
const secondStart = async (lab: Lab, env: Readonly<Record<string, string>>): Promise<Subject> => {
  const { file, port } = await lab.configuration({})
  const words = [program, "-f", file]
  const first = lab.start("first", port, words, { env })
  await lab.answering(first)
  await lab.stop(first)
  const gateway = lab.start("gateway", port, words, { env })
  await lab.answering(gateway)
  return gateway
}

export const idle = idling("memory-idle", "memory, idle, from source as installed (`npm start`)", (lab) =>
  secondStart(lab, {}),
)

export const idleChanged = idling("memory-changed", "… of sources that were changed", (lab) =>
  secondStart(lab, { SLUICE_SOURCES: "1" }),
)

export const idleBundled = idling("memory-bundled", "memory, idle, bundled", async (lab) => {
  const { file, port } = await lab.configuration({})
  const gateway = lab.start("gateway", port, [bundled(lab), "-f", file])
  await lab.answering(gateway)
  return gateway
})

/** Resolves when the first event is there. */
const open = (port: number): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    socket.once("error", reject)
    socket.on("connect", () => socket.write(requestOf({}, "/held")))
    let text = ""
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1")
      if (text.includes("data:")) resolve(socket)
    })
  })

const AT_ONCE = 50

interface Slope {
  readonly rssBytes: number
  readonly heldBytes: number
}

/** What one more open stream takes, once there are some. */
const slope = async (lab: Lab, subject: Subject, first: number, more: number): Promise<Slope> => {
  const sockets: Array<net.Socket> = []
  const grow = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += AT_ONCE) {
      sockets.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => open(subject.port)))))
    }
    await pause(lab.settings.quick ? 0 : 500)
  }
  await grow(first)
  const before = await lab.memory(subject)
  await grow(more)
  const after = await lab.memory(subject)
  for (const socket of sockets) socket.destroy()
  return {
    rssBytes: (after.rssBytes - before.rssBytes) / more,
    heldBytes: (after.heldBytes - before.heldBytes) / more,
  }
}

export const streams: Row = {
  name: "memory-stream",
  path: "memory per idle SSE stream",
  floor: "bare proxy",
  bars: [{ of: "RSS per stream", max: 20, unit: "kB" }],
  run: async (lab) => {
    const [first, more] = lab.settings.quick ? [AT_ONCE, AT_ONCE] : [1_000, 4_000]
    const bare = await slope(lab, await lab.floor({ collects: true }), first, more)
    const taken = await slope(lab, await lab.gateway({ collects: true }), first, more)
    return {
      floor: exactly(bare.rssBytes / 1e3),
      ours: exactly(taken.rssBytes / 1e3),
      unit: "kB RSS",
      figures: { "RSS per stream": exactly(taken.rssBytes / 1e3) },
      more: { "held by V8 kB": taken.heldBytes / 1e3, "held by V8, floor kB": bare.heldBytes / 1e3, streams: more },
    }
  },
}
