/** Tasks of agents under crashes of agents, sudden ends of gateways, and receivers that fail: what must hold whatever happens. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { assert, test } from "vitest"
import { load } from "../../src/config/local/load.ts"
import { nodeIo } from "../../src/config/local/nodeIo.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { AgentWorld, type Answered, hookUrl, type Json, type Sabotage } from "./agents/AgentWorld.ts"

const config = `
gateways: {default: {port: 80}}
services:
- {name: agents, namespace: default, hostname: agents.internal, vips: [], ports: {"9000": 9000}}
workloads:
${[1, 2, 3]
  .map(
    (n) => `- uid: replica-${n}
  name: replica-${n}
  namespace: default
  trustDomain: cluster.local
  serviceAccount: default
  network: ""
  workloadIps: [10.0.0.${n}]
  status: Healthy
  services: {default/agents.internal: {"9000": 9000}}`,
  )
  .join("\n")}
routes:
- policies: {a2a: {bridge: {interfaces: [{binding: JSONRPC, version: "1.0", path: /rpc}]}}}
  backends: [{service: {name: default/agents.internal, port: 9000}}]
`

const snapshotOf = async (): Promise<Snapshot> => {
  const loaded = await Effect.runPromise(
    Effect.result(load(config, { file: "sim.yaml", env: {}, io: nodeIo, cpus: 1 })),
  )
  if (Result.isFailure(loaded)) throw new Error(JSON.stringify(loaded.failure))
  return loaded.success.snapshot
}

/** What a client was promised: a task it was told of, and where it was told to be told. */
interface Promised {
  readonly taskId: string
  readonly path: string | undefined
  deletedMillis: number | undefined
}

const clientsMax = 3
const asksMax = 6

class Client {
  readonly promised: Array<Promised> = []
  private readonly world: AgentWorld
  private readonly name: string
  private count = 0

  constructor(world: AgentWorld, name: string) {
    this.world = world
    this.name = name
  }

  private call(method: string, params: Json): Effect.Effect<Answered | undefined> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: ++this.count, method, params })
    return this.world.ask("POST", "/", { "a2a-version": "1.0" }, body)
  }

  private said(): Json {
    return { messageId: `${this.name}-${++this.count}`, role: "ROLE_USER", parts: [{ text: "go" }] }
  }

  /** Every receiver has an address of its own, so that it shows which arrangement was meant. */
  private newPath(): string {
    return `/${this.name}/${++this.count}`
  }

  private send(isStream: boolean, isPushed: boolean): Effect.Effect<void> {
    const path = isPushed ? this.newPath() : undefined
    const configuration =
      path === undefined
        ? {}
        : { taskPushNotificationConfig: { id: path, url: `${hookUrl}${path.slice(1)}`, token: "t" } }
    const asked = this.call(isStream ? "SendStreamingMessage" : "SendMessage", { message: this.said(), configuration })
    return Effect.map(asked, (answer) => {
      if (answer === undefined || answer.status !== 200) return
      const events = isStream
        ? answer.text
            .split("\n")
            .filter((line) => line.startsWith("data: "))
            .map((line) => JSON.parse(line.slice(6)) as Json)
        : [JSON.parse(answer.text) as Json]
      const first = (events[0]?.["result"] as Json | undefined)?.["task"] as Json | undefined
      if (first === undefined) return
      this.promised.push({ taskId: String(first["id"]), path, deletedMillis: undefined })
      const last = events.at(-1)
      if (!isStream || answer.isBroken || last?.["error"] !== undefined) return
      const inner = Object.values((last?.["result"] as Json) ?? {})[0] as Json
      const state = (inner["status"] as Json | undefined)?.["state"]
      if (state !== "TASK_STATE_COMPLETED") this.world.problems.push(`a stream ended with ${answer.text}`)
      if (saysTheSame(events)) this.world.problems.push(`a stream said the same again: ${answer.text}`)
      if (!answer.text.includes('"artifactId":"result"'))
        this.world.problems.push(`a stream left out a result: ${answer.text}`)
    })
  }

  private create(): Effect.Effect<void> {
    const of = this.promised[this.world.random.below(this.promised.length)]
    if (of === undefined) return Effect.void
    const path = this.newPath()
    const asked = this.call("CreateTaskPushNotificationConfig", {
      taskId: of.taskId,
      id: path,
      url: `${hookUrl}${path.slice(1)}`,
    })
    return Effect.map(asked, (answer) => {
      if (answer?.text.includes('"result"') === true) this.promised.push({ ...of, path, deletedMillis: undefined })
    })
  }

  private delete(): Effect.Effect<void> {
    const of = this.promised.find(({ deletedMillis, path }) => path !== undefined && deletedMillis === undefined)
    if (of === undefined) return Effect.void
    // Whatever comes of it, what is promised from now on is nothing.
    of.deletedMillis = Infinity
    return Effect.map(this.call("DeleteTaskPushNotificationConfig", { taskId: of.taskId, id: of.path }), (answer) => {
      if (answer?.text.includes('"result"') === true) of.deletedMillis = this.world.scheduler.nowMillis
    })
  }

  private get(): Effect.Effect<void> {
    const of = this.promised[this.world.random.below(this.promised.length)]
    if (of === undefined) return Effect.void
    return Effect.map(this.call("GetTask", { id: of.taskId }), (answer) => {
      // An agent that is away, or a database that is, may keep the task from being found; nobody may say it never was
      // once both are there.
      if (!this.world.isFaulty && answer?.text.includes("-32001") === true) {
        this.world.problems.push(`${of.taskId} was lost`)
      }
    })
  }

  readonly live: Effect.Effect<void> = Effect.suspend(() => {
    const { random } = this.world
    const one = Effect.suspend(() => {
      const drawn = random.below(10)
      if (drawn < 3) return this.send(false, true)
      if (drawn < 5) return this.send(true, random.below(2) === 0)
      if (drawn < 7) return this.get()
      return drawn < 9 ? this.create() : this.delete()
    })
    const asks = Array.from({ length: 1 + random.below(asksMax) }, () => Effect.andThen(this.world.pause(2_000), one))
    return Effect.forEach(asks, (ask) => ask, { discard: true })
  })

  /** When all is well again every task is found, at whichever gateway it is asked for. */
  readonly check: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      this.promised,
      ({ taskId }) =>
        Effect.map(this.call("GetTask", { id: taskId }), (answer) => {
          if (answer?.text.includes("TASK_STATE_COMPLETED") !== true) {
            this.world.problems.push(`${taskId} is not found any more: ${answer?.text}`)
          }
        }),
      { discard: true },
    ),
  )
}

/** Whether a snapshot of the task says nothing that was not said before. */
const saysTheSame = (events: ReadonlyArray<Json>): boolean => {
  let status = ""
  let artifacts = 0
  return events.some((event) => {
    const [kind = "", value] = Object.entries((event["result"] as Json | undefined) ?? {})[0] ?? []
    const inner = (value ?? {}) as { readonly status?: Json; readonly artifacts?: ReadonlyArray<Json> }
    const now = JSON.stringify(inner.status ?? {})
    const isOld = kind === "task" && now === status && (inner.artifacts?.length ?? 0) <= artifacts
    if (inner.status !== undefined) status = now
    artifacts = kind === "artifactUpdate" ? 1 : Math.max(artifacts, inner.artifacts?.length ?? 0)
    return isOld
  })
}

/** What agents told the gateway, and receivers have not got. */
const missing = (world: AgentWorld, clients: ReadonlyArray<Client>): ReadonlyArray<string> => {
  const promised = new Set(
    clients.flatMap(({ promised }) =>
      promised.flatMap(({ deletedMillis, path }) => (path === undefined || deletedMillis !== undefined ? [] : [path])),
    ),
  )
  return world.webhooks.flatMap(({ told, url }) => {
    const path = world.paths.get(url.slice(url.lastIndexOf("/") + 1)) ?? ""
    if (!promised.has(path)) return []
    const got = new Set(world.received.filter((one) => one.path === path).map(({ body }) => body))
    return told.flatMap((event) =>
      got.has(JSON.stringify(event)) ? [] : [`${path} was not told ${JSON.stringify(event)}`],
    )
  })
}

/** What was promised has to be arranged with the agent. */
const unarranged = (world: AgentWorld, clients: ReadonlyArray<Client>): ReadonlyArray<string> => {
  const arranged = new Set(world.webhooks.map(({ url }) => world.paths.get(url.slice(url.lastIndexOf("/") + 1))))
  return clients.flatMap(({ promised }) =>
    promised.flatMap(({ path }) =>
      path === undefined || arranged.has(path) ? [] : [`${path} was promised and not arranged`],
    ),
  )
}

const runOne = async (snapshot: Snapshot, seed: number, sabotage?: Sabotage): Promise<ReadonlyArray<string>> => {
  const world = new AgentWorld(snapshot, seed, sabotage)
  const { random, scheduler } = world
  await world.begin(0)
  await world.begin(1)
  const begins: Array<() => Promise<void>> = []
  for (let i = random.below(4); i > 0; i--) {
    const slot = random.below(2)
    const at = random.next() * 10_000
    scheduler.after(at, () => world.kill(slot))
    scheduler.after(at + random.next() * 2_000, () => void begins.push(() => world.begin(slot)))
  }
  for (let i = random.below(4); i > 0; i--) {
    const replica = random.below(3)
    const at = random.next() * 10_000
    scheduler.after(at, () => world.crash(replica))
    scheduler.after(at + random.next() * 3_000, () => world.restart(replica))
  }
  const clients = Array.from({ length: 1 + random.below(clientsMax) }, (_, i) => new Client(world, `client${i}`))
  const run = async (isDone: () => boolean): Promise<void> => {
    for (;;) {
      const stop = await scheduler.run(() => begins.length > 0 || isDone())
      const begin = begins.shift()
      if (begin !== undefined) await begin()
      else if (stop !== "done") throw new Error(`seed ${seed}: ${stop}`)
      else return
    }
  }
  const until = async (millis: number): Promise<void> => {
    let isOver = false
    scheduler.after(millis, () => (isOver = true))
    await run(() => isOver)
  }
  const lives = clients.map(({ live }) => world.fork(live))
  await run(() => lives.every((fiber) => fiber.pollUnsafe() !== undefined))
  await until(15_000)
  world.isFaulty = false
  for (let waited = 0; waited < 60 && (world.isBusy || missing(world, clients).length > 0); waited++)
    await until(10_000)
  const checks = clients.map(({ check }) => world.fork(check))
  await run(() => checks.every((fiber) => fiber.pollUnsafe() !== undefined))

  const problems = [...world.problems, ...missing(world, clients), ...unarranged(world, clients)]
  for (const [message, times] of world.begun) if (times > 1) problems.push(`${message} was begun ${times} times`)
  // One name for one thing that is told, and one thing for one name.
  const names = new Map<string, string>()
  const bodies = new Map<string, string>()
  for (const { body, id, path } of world.received) {
    const told = `${path} ${body}`
    if ((names.get(id) ?? told) !== told) problems.push(`${id} stands for several things`)
    if ((bodies.get(told) ?? id) !== id) problems.push(`${told} was told by several names`)
    names.set(id, told)
    bodies.set(told, id)
  }
  // What is told for the first time comes in the order in which it happened.
  const order = new Map<string, number>()
  for (const { id } of world.received) {
    const [, registration = "", number = ""] = /^(.*)-(\d+)$/.exec(id) ?? []
    const before = order.get(registration) ?? 0
    if (Number(number) < before && !isRepeated(world, id)) problems.push(`${id} came after ${before}`)
    order.set(registration, Math.max(before, Number(number)))
  }
  for (const { promised } of clients) {
    for (const { deletedMillis, path } of promised) {
      const late = world.received.find((one) => one.path === path && one.atMillis > (deletedMillis ?? Infinity) + 50)
      if (late !== undefined) problems.push(`${path} was told after it was deleted`)
    }
  }
  problems.push(...(await world.close()))
  return problems
}

/** A try whose answer was lost may arrive again, after others if its courier died in between. */
const isRepeated = (world: AgentWorld, id: string): boolean => world.received.filter((one) => one.id === id).length > 1

const runs = Number(process.env["SIM_RUNS"] ?? 400)
const only = process.env["SIM_SEED"]

test("whatever happens, no task is lost, none is begun twice, and receivers are told of everything once by one name", async () => {
  const snapshot = await snapshotOf()
  const seeds = only === undefined ? Array.from({ length: runs }, (_, i) => i + 1) : [Number(only)]
  for (const seed of seeds) {
    const problems = await runOne(snapshot, seed)
    assert.deepEqual(problems, [], `replay with SIM_SEED=${seed}`)
  }
})

const sabotages: ReadonlyArray<readonly [Sabotage, RegExp]> = [
  ["letters are lost", /was not told/],
  ["letters are told twice", /was told by several names/],
  ["messages are sent twice", /was begun 2 times/],
  ["places are forgotten", /./],
]

test.each(sabotages)("where %s, that is noticed", async (sabotage, words) => {
  const snapshot = await snapshotOf()
  for (let seed = 1; seed <= 40; seed++) {
    const problems = await runOne(snapshot, seed, sabotage)
    if (problems.some((problem) => words.test(problem))) return
  }
  assert.fail("nobody noticed")
})
