/**
 * Agents that crash, gateways that are killed and begin again, receivers that fail: everything around the tasks of agents,
 * in simulated time, with the gateway's own code in the middle. What outlives a gateway is what it was told to keep.
 */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as EffectScheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as SeededRandom from "../../../src/sim/Random.ts"
import { Scheduler } from "../../../src/sim/Scheduler.ts"
import { Timekeeper } from "../../../src/sim/timer.ts"
import { asking } from "../../../stages/5-policy/ask.ts"
import * as Agents from "../../../stages/6-dispatch/a2a/Agents.ts"
import { memoryPostbox } from "../../../stages/6-dispatch/a2a/push/memoryPostbox.ts"
import { Push, pushDefaults, type PushPorts } from "../../../stages/6-dispatch/a2a/push/Push.ts"
import { Endpoints } from "../../../stages/6-dispatch/Endpoints.ts"
import { everyProtocol } from "../../../stages/6-dispatch/everyProtocol.ts"
import * as Body from "../../../stages/Body.ts"
import { compile, type CompilePorts } from "../../../stages/compile.ts"
import type { Exchange, Reply, Service } from "../../../stages/Exchange.ts"
import type { Places } from "../../../stages/ports/Places.ts"
import type { Postbox } from "../../../stages/ports/Postbox.ts"
import type { Endpoint, EndpointSpec, UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { makeExchange } from "../../stages/exchange.ts"

export type Json = Readonly<Record<string, unknown>>

export const callback = "http://gateway.internal"
export const hookUrl = "https://hooks.example.com/"
const replicas = ["10.0.0.1:9000", "10.0.0.2:9000", "10.0.0.3:9000"]

export interface Answered {
  readonly status: number
  readonly text: string
  /** The answer broke off. */
  readonly isBroken: boolean
}

const toJson = (text: string): Json => JSON.parse(text) as Json

interface Task {
  readonly id: string
  readonly contextId: string
  state: string
  atMillis: number
  artifacts: ReadonlyArray<Json>
  /** Grows with everything that happens to it. */
  readonly events: Array<Json>
  readonly listeners: Set<(event: Json, isLast: boolean) => void>
  readonly webhooks: Map<string, Webhook>
}

/** One place the agent tells of a task, until it was heard. */
export interface Webhook {
  readonly url: string
  readonly token: string
  readonly waiting: Array<Json>
  /** Everything it ever had to tell there, in order. */
  readonly told: Array<Json>
  isTelling: boolean
  isGone: boolean
}

/** A life of a gateway; what it does after its end reaches nobody. */
class Life {
  isAlive = true
  readonly scope = Scope.makeUnsafe()
  serve: Service<Exchange> | undefined
  /** What it asks of others right now. */
  readonly calls = new Set<string>()
  readonly timekeeper: Timekeeper

  constructor(timekeeper: Timekeeper) {
    this.timekeeper = timekeeper
  }
}

/** What is broken on purpose, to see that somebody notices. */
export type Sabotage =
  | "letters are lost"
  | "places are forgotten"
  | "messages are sent twice"
  | "letters are told twice"

export class AgentWorld {
  readonly scheduler: Scheduler
  readonly random: SeededRandom.Random
  readonly problems: Array<string> = []
  /** How often each message began something. */
  readonly begun = new Map<string, number>()
  readonly tasks = new Map<string, Task & { readonly replica: string }>()
  readonly webhooks: Array<Webhook & { readonly taskId: string }> = []
  readonly received: Array<{
    readonly id: string
    readonly path: string
    readonly body: string
    readonly atMillis: number
  }> = []
  readonly context: Context.Context<never>
  private readonly snapshot: Snapshot
  private readonly sabotage: Sabotage | undefined
  private readonly clock: Timekeeper
  private readonly lives: Array<Life | undefined> = [undefined, undefined]
  private readonly down = new Set<string>()
  private readonly box = memoryPostbox()
  private readonly places = new Map<string, string>()
  private count = 0
  /** Whether receivers, databases and networks may fail. */
  isFaulty = true

  constructor(snapshot: Snapshot, seed: number, sabotage?: Sabotage) {
    this.sabotage = sabotage
    this.snapshot = snapshot
    this.scheduler = new Scheduler(SeededRandom.make(seed, "scheduler"), {
      tasksMax: 2_000_000,
      millisMax: 24 * 3_600_000,
    })
    this.random = SeededRandom.make(seed, "world")
    this.clock = new Timekeeper(this.scheduler, SeededRandom.make(seed, "clock"))
    this.context = Context.empty().pipe(
      Context.add(EffectScheduler.Scheduler, this.scheduler),
      Context.add(Clock.Clock, this.clock.effectClock),
      Context.add(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>()),
    )
  }

  fork<A, E>(effect: Effect.Effect<A, E>) {
    return Effect.runForkWith(this.context)(effect)
  }

  chance(of: number): boolean {
    return this.isFaulty && this.random.next() < of
  }

  pause(maxMillis: number): Effect.Effect<void> {
    return Effect.suspend(() => Effect.sleep(this.random.next() * maxMillis))
  }

  // Gateways

  /** Takes time, may fail, and never comes back to a gateway that is dead; whether it was done by then is up to chance. */
  private kept<A, E>(life: Life, effect: Effect.Effect<A, E>, failure: E): Effect.Effect<A, E> {
    const alive = Effect.suspend(() => (life.isAlive ? Effect.void : Effect.never))
    return Effect.suspend(() => (this.chance(0.02) ? Effect.delay(Effect.fail(failure), 3) : effect)).pipe(
      (work) => Effect.andThen(Effect.andThen(this.pause(3), alive), work),
      (work) => Effect.tap(work, () => Effect.andThen(this.pause(3), alive)),
    )
  }

  /** Where each arrangement leads, by the name it has with the agent. */
  readonly paths = new Map<string, string>()

  private postboxOf(life: Life): Postbox {
    const failure = { _tag: "PostboxFailure", message: "the database is away" } as const
    const keep: Postbox["keep"] = (registration, now) =>
      Effect.tap(this.box.keep(registration, now), (kept) =>
        Effect.sync(() => {
          if (kept === "full") return
          this.paths.set(kept.registration.id, new URL(String(registration.config["url"])).pathname)
        }),
      )
    const post: Postbox["post"] = (posting, now) =>
      this.sabotage === "letters are lost" ? Effect.succeed("posted") : this.box.post(posting, now)
    const delivered: Postbox["delivered"] = (letter) =>
      this.sabotage === "letters are told twice" && letter.number === 1
        ? Effect.andThen(
            this.box.delivered(letter),
            Effect.asVoid(
              this.box.post(
                {
                  registration: letter.registration.id,
                  body: letter.body,
                  digest: "again",
                  repeats: "never",
                  isLast: false,
                },
                0,
              ),
            ),
          )
        : this.box.delivered(letter)
    return Object.fromEntries(
      Object.entries({ ...this.box, delivered, keep, post }).map(([name, method]) => [
        name,
        (...given: ReadonlyArray<never>) =>
          this.kept(
            life,
            (method as (...given: ReadonlyArray<never>) => Effect.Effect<unknown, typeof failure>)(...given),
            failure,
          ),
      ]),
    ) as unknown as Postbox
  }

  private placesOf(life: Life): Places {
    const failure = { _tag: "PlacesFailure", message: "the database is away" } as const
    return {
      find: (names) =>
        this.kept(
          life,
          Effect.sync(
            () =>
              new Map(
                names.flatMap((name) => {
                  const place = this.places.get(name)
                  return place === undefined ? [] : [[name, place] as const]
                }),
              ),
          ),
          failure,
        ),
      note: (places) =>
        this.kept(
          life,
          Effect.sync(() => {
            if (this.sabotage === "places are forgotten") return
            for (const [name, place] of places) this.places.set(name, place)
          }),
          failure,
        ),
      sweep: () => Effect.void,
    }
  }

  /** A gateway begins in one of two places. */
  async begin(slot: number): Promise<void> {
    const life = new Life(new Timekeeper(this.scheduler, SeededRandom.make(++this.count, "life")))
    const { clock } = life.timekeeper
    const endpoints = new Endpoints((spec) => this.endpoint(life, spec))
    const defaults = {
      connectTimeoutMillis: 10_000,
      poolIdleMillis: 90_000,
      poolSizeMax: undefined,
    } as CompilePorts["dispatch"]["defaults"]
    let last = 0
    const cryptography: PushPorts["cryptography"] = {
      random: () => `id${slot}${this.count}-${++last}`,
      equal: (a, b) => a === b,
      digest: (text) => String(text),
      sha256: (text) => String(text.length),
      signer: async () => ({ jwk: {}, sign: async () => ({ protected: "p", signature: "s" }) }),
    }
    const push = new Push({
      clock,
      cryptography,
      postbox: this.postboxOf(life),
      ask: asking({ clock, defaults, endpoints }),
      settings: { ...pushDefaults, callback },
      signingKey: Effect.succeed(Redacted.make("key")),
    })
    const made = Effect.flatMap(
      Scope.provide(Agents.make(clock, { push, places: this.placesOf(life) }), life.scope),
      (agents) =>
        compile(
          {
            dispatch: { endpoints, clock, defaults, agents, protocols: everyProtocol },
            tlsContext: (source) => Effect.succeed({ _tag: "TlsContext", source }),
            limits: {} as CompilePorts["limits"],
          },
          this.snapshot,
          undefined,
        ),
    )
    const fiber = this.fork(made)
    await this.scheduler.run(() => fiber.pollUnsafe() !== undefined)
    const exit = fiber.pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) throw new Error(`no gateway: ${JSON.stringify(exit)}`)
    const [listener] = exit.value.listeners.values()
    life.serve = listener?.serve
    this.lives[slot] = life
  }

  /** Nothing of it reaches anybody from now on. */
  kill(slot: number): void {
    const life = this.lives[slot]
    this.lives[slot] = undefined
    if (life === undefined) return
    life.isAlive = false
    this.fork(Scope.close(life.scope, Exit.void))
  }

  /** Whether gateways ask others for something right now. */
  get isBusy(): boolean {
    return this.lives.some((life) => life !== undefined && life.calls.size > 0)
  }

  /** Ends all of them as they should end, and says what was left. */
  async close(): Promise<ReadonlyArray<string>> {
    const lives = this.lives.flatMap((life) => life ?? [])
    const before = lives.flatMap(({ calls }) => [...calls])
    const fibers = lives.map(({ scope }) => this.fork(Scope.close(scope, Exit.void)))
    await this.scheduler.run(() => fibers.every((fiber) => fiber.pollUnsafe() !== undefined))
    return [
      ...before.map((call) => `${call} went on for nobody`),
      ...lives.flatMap(({ calls }) => [...calls].map((call) => `${call} outlived its gateway`)),
      ...lives.flatMap(({ timekeeper }) =>
        timekeeper.waiting > 0 ? [`${timekeeper.waiting} timers outlived their gateway`] : [],
      ),
    ]
  }

  /** One request to whichever gateway is there; undefined: none is, or it died before it had answered. */
  ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Effect.Effect<Answered | undefined> {
    const choose = Effect.sync(() => {
      const alive = this.lives.filter((life) => life !== undefined)
      return alive[this.random.below(alive.length)]
    })
    return Effect.flatMap(Effect.andThen(this.pause(5), choose), (life) => {
      const { serve } = life ?? {}
      if (life === undefined || serve === undefined) return Effect.undefined
      const exchange = makeExchange({
        method,
        url: `${callback}${path}`,
        headers: { "content-type": "application/json", ...headers },
        body,
        startedMillis: this.scheduler.nowMillis,
      })
      const answered = Effect.matchEffect(serve(exchange), {
        onFailure: (refusal): Effect.Effect<Answered> =>
          Effect.succeed({ status: 503, text: refusal._tag, isBroken: false }),
        onSuccess: (reply) =>
          Effect.map(this.read(reply), ({ isBroken, text }): Answered => ({ status: reply.status, text, isBroken })),
      })
      const died = Effect.callback<undefined>((resume) => {
        const look = (): (() => void) =>
          this.scheduler.after(1, () => {
            if (life.isAlive) cancel = look()
            else resume(Effect.undefined)
          })
        let cancel = look()
        return Effect.sync(() => cancel())
      })
      return Effect.raceFirst(answered, died)
    })
  }

  private read(reply: Reply): Effect.Effect<{ readonly text: string; readonly isBroken: boolean }> {
    let seen = ""
    const { body } = reply
    if (body._tag !== "Flow") {
      return Effect.succeed({
        text: body._tag === "Bytes" ? new TextDecoder().decode(body.bytes) : "",
        isBroken: false,
      })
    }
    return Effect.callback((resume) => {
      const source = body.open({
        write: (chunk) => {
          seen += new TextDecoder().decode(chunk)
          return true
        },
        end: () => resume(Effect.succeed({ text: seen, isBroken: false })),
        fail: () => resume(Effect.succeed({ text: seen, isBroken: true })),
      })
      return Effect.sync(() => source.cancel())
    })
  }

  // What gateways reach

  private endpoint(life: Life, spec: EndpointSpec): Endpoint {
    const host = spec.target._tag === "Host" ? `${spec.target.host}:${spec.target.port}` : ""
    const reset: UpstreamFailure = { _tag: "Reset", message: "reset", sent: true }
    return {
      spec,
      label: host,
      dial: Effect.fail({ _tag: "ConnectFailed", message: "no" }),
      close: () => {},
      send: (request, { replyTimeoutMillis }) => {
        const text = Effect.map(Effect.orDie(Body.collect(request.body, 1 << 24)), (collected) =>
          collected._tag === "Whole" ? new TextDecoder().decode(collected.bytes) : "",
        )
        const { headers, path } = request
        const reached = Effect.flatMap(
          Effect.tap(text, () => this.pause(5)),
          (text): Effect.Effect<Reply, UpstreamFailure> => {
            if (!life.isAlive) return Effect.never
            if (host.startsWith("hooks.")) return this.hook(path, headers, text)
            if (this.down.has(host)) return Effect.fail({ _tag: "ConnectFailed", message: "refused" })
            const reply = this.agent(life, host, toJson(text))
            // An agent that crashes while its answer is on the way has done what it was asked for.
            return Effect.andThen(
              this.pause(5),
              Effect.suspend(() => (this.down.has(host) ? Effect.fail(reset) : Effect.succeed(reply))),
            )
          },
        )
        const late = Effect.delay(
          Effect.fail<UpstreamFailure>({ _tag: "ReplyTimeout", message: "too late" }),
          replyTimeoutMillis ?? 60_000,
        )
        return Effect.suspend(() => {
          const call = `${++this.count} ${host} ${path}`
          life.calls.add(call)
          let isFlowing = false
          return Effect.onExit(
            Effect.map(Effect.raceFirst(reached, late), (reply) => {
              const { body } = reply
              if (body._tag !== "Flow") return reply
              isFlowing = true
              return { ...reply, body: this.counted(life, call, body) }
            }),
            () => Effect.sync(() => void (isFlowing || life.calls.delete(call))),
          )
        })
      },
    }
  }

  /** A body is a call for as long as it flows. */
  private counted(life: Life, call: string, flow: Body.Flow): Body.Flow {
    const over = (): void => void life.calls.delete(call)
    return {
      ...flow,
      open: (sink) => {
        const source = flow.open({
          write: (chunk) => sink.write(chunk),
          end: (trailers) => {
            over()
            sink.end(trailers)
          },
          fail: (failure) => {
            over()
            sink.fail(failure)
          },
        })
        return {
          resume: () => source.resume(),
          cancel: () => {
            over()
            source.cancel()
          },
        }
      },
    }
  }

  private hook(path: string, headers: Headers, body: string): Effect.Effect<Reply, UpstreamFailure> {
    const answer = (status: number): Effect.Effect<Reply> =>
      Effect.succeed({ status, headers: new Headers([]), body: Body.empty, origin: "upstream" })
    if (this.chance(0.1)) return answer(503)
    if (this.chance(0.03)) return Effect.never
    const id = headers.get("x-a2a-notification-id") ?? ""
    this.received.push({ id, path, body, atMillis: this.scheduler.nowMillis })
    return this.chance(0.05) ? Effect.fail({ _tag: "Reset", message: "reset", sent: true }) : answer(204)
  }

  // Agents

  crash(replica: number): void {
    const host = replicas[replica] ?? ""
    this.down.add(host)
    for (const task of this.tasks.values())
      if (task.replica === host) for (const listener of task.listeners) listener({}, true)
  }

  restart(replica: number): void {
    const host = replicas[replica] ?? ""
    this.down.delete(host)
    for (const webhook of this.webhooks) if (this.tasks.get(webhook.taskId)?.replica === host) this.tell(webhook, host)
  }

  private shown(task: Task): Json {
    const { artifacts, atMillis, contextId, id, state } = task
    return {
      id,
      contextId,
      status: { state, timestamp: new Date(1_767_225_600_000 + atMillis).toISOString() },
      artifacts,
    }
  }

  private agent(life: Life, host: string, call: Json): Reply {
    const { id, method, params } = call as { readonly id: unknown; readonly method: string; readonly params: Json }
    const whole = (body: Json): Reply => ({
      status: 200,
      headers: new Headers(["content-type", "application/json"]),
      body: Body.text(JSON.stringify({ jsonrpc: "2.0", id, ...body })),
      origin: "upstream",
    })
    const fault = (code: number): Reply => whole({ error: { code, message: "no" } })
    if (method === "SendMessage" || method === "SendStreamingMessage") {
      const task = this.started(host, params)
      const first = { task: this.shown(task) }
      return method === "SendMessage" ? whole({ result: first }) : this.stream(life, id, task, first)
    }
    const taskId = String(params["taskId"] ?? params["id"])
    const task = this.tasks.get(taskId)
    if (task === undefined || task.replica !== host) return fault(-32001)
    switch (method) {
      case "GetTask":
        return whole({ result: this.shown(task) })
      case "SubscribeToTask":
        return task.state === "TASK_STATE_COMPLETED"
          ? fault(-32004)
          : this.stream(life, id, task, { task: this.shown(task) })
      case "CreateTaskPushNotificationConfig":
        this.arrange(task, params)
        return whole({ result: params })
      case "DeleteTaskPushNotificationConfig": {
        const webhook = task.webhooks.get(String(params["id"]))
        if (webhook !== undefined) webhook.isGone = true
        return whole({ result: null })
      }
      default:
        return fault(-32601)
    }
  }

  private stream(life: Life, id: unknown, task: Task, first: Json): Reply {
    const encode = (result: Json): Uint8Array =>
      new TextEncoder().encode(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`)
    const flow = new Body.HeldFlow(undefined)
    let isOver = false
    const listener = (event: Json, isLast: boolean): void => {
      if (isOver || !life.isAlive) return
      const isCrash = Object.keys(event).length === 0
      if (!isCrash) flow.write(encode(event))
      if (!isLast) return
      isOver = true
      task.listeners.delete(listener)
      if (isCrash) flow.fail(Body.flowFailure("gone", "the agent crashed"))
      else flow.end(undefined)
    }
    flow.source = {
      resume: () => {},
      cancel: () => {
        isOver = true
        task.listeners.delete(listener)
      },
    }
    flow.write(encode(first))
    task.listeners.add(listener)
    return { status: 200, headers: new Headers(["content-type", "text/event-stream"]), body: flow, origin: "upstream" }
  }

  private started(host: string, params: Json): Task {
    const message = params["message"] as Json
    const messageId = String(message["messageId"])
    const times = this.sabotage === "messages are sent twice" ? 2 : 1
    this.begun.set(messageId, (this.begun.get(messageId) ?? 0) + times)
    const id = `task-${this.tasks.size}`
    const task = {
      id,
      replica: host,
      contextId: `context-${id}`,
      state: "TASK_STATE_SUBMITTED",
      atMillis: this.scheduler.nowMillis,
      artifacts: [],
      events: [],
      listeners: new Set<(event: Json, isLast: boolean) => void>(),
      webhooks: new Map<string, Webhook>(),
    }
    this.tasks.set(id, task)
    const config = (params["configuration"] as Json | undefined)?.["taskPushNotificationConfig"] as Json | undefined
    if (config !== undefined) this.arrange(task, config)
    this.later(host, 50 + this.random.next() * 2_000, () => this.move(task, "TASK_STATE_WORKING"))
    return task
  }

  /** What happens at an agent happens when it is up. */
  private later(host: string, millis: number, what: () => void): void {
    this.scheduler.after(millis, () => {
      if (this.down.has(host)) this.later(host, 100, what)
      else what()
    })
  }

  private move(task: Task & { readonly replica: string }, state: string): void {
    task.state = state
    task.atMillis = this.scheduler.nowMillis
    const { contextId, id } = task
    const isLast = state === "TASK_STATE_COMPLETED"
    this.happened(task, { statusUpdate: { taskId: id, contextId, status: this.shown(task)["status"] } }, isLast)
    if (isLast) return
    this.later(task.replica, 50 + this.random.next() * 2_000, () => {
      const artifact = { artifactId: "result", parts: [{ text: id }] }
      task.artifacts = [artifact]
      this.happened(task, { artifactUpdate: { taskId: id, contextId, artifact } }, false)
      this.later(task.replica, 50 + this.random.next() * 2_000, () => this.move(task, "TASK_STATE_COMPLETED"))
    })
  }

  private happened(task: Task & { readonly replica: string }, event: Json, isLast: boolean): void {
    task.events.push(event)
    for (const listener of task.listeners) listener(event, isLast)
    for (const webhook of task.webhooks.values()) {
      if (webhook.isGone) continue
      webhook.told.push(event)
      webhook.waiting.push(event)
      this.tell(webhook, task.replica)
    }
  }

  private arrange(task: Task, config: Json): void {
    const id = String(config["id"])
    const webhook = {
      url: String(config["url"]),
      token: String(config["token"]),
      taskId: task.id,
      waiting: [],
      told: [],
      isTelling: false,
      isGone: false,
    }
    task.webhooks.set(id, webhook)
    this.webhooks.push(webhook)
  }

  /** Agents say one thing after the other, each until it was heard. */
  private tell(webhook: Webhook, host: string): void {
    const [event] = webhook.waiting
    if (webhook.isTelling || event === undefined || webhook.isGone || this.down.has(host)) return
    webhook.isTelling = true
    const said = this.ask(
      "POST",
      new URL(webhook.url).pathname,
      { "x-a2a-notification-token": webhook.token },
      JSON.stringify(event),
    )
    this.fork(
      Effect.map(said, (answer) => {
        webhook.isTelling = false
        const status = answer?.status ?? 0
        if (status === 404) webhook.isGone = true
        // The agent may not hear that it was heard.
        else if (status === 202 && !this.chance(0.05)) webhook.waiting.shift()
        else if (status !== 202 && status !== 503 && status !== 0)
          this.problems.push(`a webhook answered ${status}: ${answer?.text}`)
        this.scheduler.after(status === 202 ? 0 : 300, () => this.tell(webhook, host))
      }),
    )
  }
}
