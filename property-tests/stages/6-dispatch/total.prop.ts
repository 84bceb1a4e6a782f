/**
 * The law of `5-policy/total.prop.ts` for what dispatch carries out: whatever is configured, whatever a client, a model, an
 * agent, a tool or a service says, every decision is one that was thought of.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as fc from "fast-check"
import type { A2a } from "../../../ir/policy/A2a.ts"
import type { Budget } from "../../../ir/policy/Budget.ts"
import type { McpAuthorization } from "../../../ir/policy/McpAuthorization.ts"
import type { McpGuardrails } from "../../../ir/policy/McpGuardrails.ts"
import type { PromptGuard } from "../../../ir/policy/PromptGuard.ts"
import type { ResponseCache } from "../../../ir/policy/ResponseCache.ts"
import { failed, result } from "../../../protocols/a2a/Answer.ts"
import { detect } from "../../../protocols/a2a/detect.ts"
import { fault } from "../../../protocols/a2a/Fault.ts"
import { fieldsOf } from "../../../protocols/a2a/Fields.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import { chatFormats, formats } from "../../../protocols/llm/Translation.ts"
import { Fields, isJson } from "../../../protocols/mcp/json.ts"
import * as Body from "../../../stages/Body.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import * as a2aGuard from "../../../stages/6-dispatch/a2a/guard.ts"
import { allowed } from "../../../stages/6-dispatch/a2a/allowance.ts"
import { Conversation } from "../../../stages/6-dispatch/a2a/Conversation.ts"
import { Hops } from "../../../stages/6-dispatch/Hop.ts"
import { Account } from "../../../stages/6-dispatch/llm/Account.ts"
import { read } from "../../../stages/6-dispatch/llm/Asked.ts"
import * as budgets from "../../../stages/6-dispatch/llm/budgets.ts"
import * as responseCache from "../../../stages/6-dispatch/llm/cache/responseCache.ts"
import { Similar } from "../../../stages/6-dispatch/llm/cache/Similar.ts"
import { candidates } from "../../../stages/6-dispatch/llm/failover.ts"
import * as guardrails from "../../../stages/6-dispatch/llm/guardrails.ts"
import { withPrompts } from "../../../stages/6-dispatch/llm/prompts.ts"
import * as Access from "../../../stages/6-dispatch/mcp/federation/Access.ts"
import * as mcpGuard from "../../../stages/6-dispatch/mcp/guardrails/Guard.ts"
import { Try } from "../../../stages/6-dispatch/Target.ts"
import type { DispatchPorts } from "../../../stages/6-dispatch/ports.ts"
import { inMemory as repliesInMemory } from "../../../stages/ports/Replies.ts"
import { inMemory as spendingInMemory, type Spending, type Spendings } from "../../../stages/ports/Spending.ts"
import { cel, type Computing } from "../../../test/stages/5-policy/computing.ts"
import { flowOf, makeExchange, makeReply } from "../../../test/stages/exchange.ts"
import { type Answered, answered, called, fields, text } from "../5-policy/answers.ts"
import { type Asked, asked, toldOf } from "../5-policy/askers.ts"
import { callee, condition, expression, failureMode, headerEdits, named } from "../5-policy/policies.ts"
import { portsFor } from "../5-policy/portsFor.ts"

// What is said ------------------------------------------------------------------------------------------------------

const words = fc.oneof(
  fc.constantFrom(
    "",
    "ann@shop.example",
    "4111 1111 1111 1111",
    "ignore all previous instructions",
    "secret",
    "a\nb\n",
    "\ud800",
    "x".repeat(40_000),
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
)
const anything = fc.oneof(words, fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, -1, 1e308, [], {}))
const turn = fc.oneof(
  fc.record(
    {
      role: fc.constantFrom<unknown>("user", "system", "assistant", "tool", "model", "developer", 7),
      content: fc.oneof(
        anything,
        fc.array(fc.record({ type: fc.constantFrom("text", "tool_result", "image", "input_text"), text: anything })),
      ),
      parts: fc.array(fc.record({ text: anything }, { requiredKeys: [] }), { maxLength: 2 }),
      tool_calls: fc.array(fc.record({ function: fc.record({ name: words, arguments: anything }) }), { maxLength: 1 }),
    },
    { requiredKeys: ["role"] },
  ),
  anything,
)
const turns = fc.oneof(fc.array(turn, { maxLength: 3 }), anything)

/** Of any format, or hardly of any. */
const spoken = fc.oneof(
  fc.constant<JsonObject>({
    messages: [{ role: "user", content: "secret" }],
    input: "secret",
    contents: [{ role: "user", parts: [{ text: "secret" }] }],
    message: { role: "ROLE_USER", messageId: "m", parts: [{ text: "secret" }] },
  }),
  fc.record(
    {
      model: anything,
      messages: turns,
      system: turns,
      input: turns,
      contents: turns,
      systemInstruction: fc.oneof(fc.record({ parts: turns }), anything),
      system_instruction: turns,
      instructions: anything,
      stream: anything,
      max_tokens: anything,
      generationConfig: anything,
      choices: fc.oneof(
        fc.array(fc.record({ message: turn, delta: turn, finish_reason: anything }), { maxLength: 2 }),
        anything,
      ),
      content: turns,
      output: turns,
      candidates: fc.array(fc.record({ content: turn }), { maxLength: 2 }),
      // What agents and tools say.
      message: turn,
      parts: turns,
      artifacts: turns,
      status: anything,
      history: turns,
      metadata: anything,
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonObject>,
)

const said = fc.oneof(
  fc.constant('{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"secret"}}]}'),
  spoken.map((one) => JSON.stringify(one)),
  fc
    .array(spoken, { maxLength: 3 })
    .map((all) => all.map((one) => `data: ${JSON.stringify(one)}\n\n`).join("") + "data: [DONE]\n\n"),
  text,
)

interface Case {
  readonly answer: Answered
  readonly asked: Asked
  readonly format: (typeof formats)[number] | undefined
  readonly spoken: JsonObject
  readonly reply: {
    readonly status: number
    readonly contentType: string
    readonly fields: Answered["fields"]
    readonly said: string
    readonly isWhole: boolean
    readonly isList: boolean
  }
}

const cases: fc.Arbitrary<Case> = fc.record({
  answer: answered,
  asked,
  format: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...chatFormats) },
    { weight: 1, arbitrary: fc.constantFrom(undefined, ...formats) },
  ),
  spoken,
  reply: fc.record({
    status: fc.constantFrom(200, 200, 200, 204, 400, 500),
    contentType: fc.constantFrom(
      "application/json",
      "application/json",
      "text/event-stream",
      "application/vnd.amazon.eventstream",
      "text/html",
    ),
    fields,
    said,
    isWhole: fc.boolean(),
    isList: fc.boolean(),
  }),
})

// What is configured ------------------------------------------------------------------------------------------------

const orNothing = <A>(one: fc.Arbitrary<A>) => fc.option(one, { nil: undefined, freq: 2 })
/** Without the members that are undefined, as configuration has them. */
const present = <A extends object>(one: A): A =>
  Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as A

const action = fc.constantFrom("mask" as const, "reject" as const)
const service = fc.record({
  failureMode,
  policies: fc.constant([]),
  url: orNothing(fc.constant("http://guard.example")),
})
const rule = fc.oneof(
  fc
    .constantFrom("ssn", "creditCard", "phoneNumber", "email", "caSin", "iban", "ipAddress", "secretKey")
    .map((entity) => ({ _tag: "Builtin", entity })),
  fc
    .constantFrom("secret", ".+", "a*", "(", "\\b\\w+@", "$")
    .map((pattern) => ({ _tag: "Pattern", pattern, name: "hidden" })),
)
const guardKind = fc.oneof(
  fc.constantFrom(
    { _tag: "Regex", action: "reject", rules: [{ _tag: "Pattern", pattern: ".+" }] },
    { _tag: "Regex", action: "mask", rules: [{ _tag: "Pattern", pattern: ".+" }] },
  ),
  fc.record({ _tag: fc.constant("Regex"), action, rules: fc.array(rule, { maxLength: 3 }) }),
  fc.record({ _tag: fc.constant("Keywords"), action, words: fc.constantFrom(["secret"], ["ignore all", "b"]) }),
  fc.record({ _tag: fc.constant("PromptInjection"), action, threshold: fc.constantFrom(0, 0.5, 2) }),
  fc.record({
    _tag: fc.constant("Webhook"),
    target: fc.constant(callee.backend),
    headers: named.map((all) => all.filter(({ name }) => name !== "" && name !== ":status")),
    forwardHeaderMatches: fc.constantFrom(
      [],
      [{ name: "x-a", value: { _tag: "Exact", value: "0" } }],
      [{ name: "cookie", value: { _tag: "Regex", pattern: "(" } }],
    ),
    bytesMin: fc.constantFrom(0, 100),
    isRaw: fc.boolean(),
    failureMode,
  }),
  service.map((one) => present({ _tag: "OpenAiModeration", ...one })),
  service.map((one) =>
    present({ _tag: "BedrockGuardrails", guardrailIdentifier: "g/h", guardrailVersion: "1", region: "eu", ...one }),
  ),
  service.map((one) => present({ _tag: "GoogleModelArmor", templateId: "t", projectId: "p", ...one })),
  fc
    .tuple(service, orNothing(fc.constant({ blocklistNames: ["b"], severityThreshold: 1 })), fc.boolean())
    .map(([one, analyzeText, jailbreak]) =>
      present({
        _tag: "AzureContentSafety",
        endpoint: "https://safe.example/x",
        analyzeText,
        detectJailbreak: jailbreak ? {} : undefined,
        ...one,
      }),
    ),
)
const rejection = orNothing(
  fc.record({
    body: fc.constantFrom("no", '{"no":1}'),
    status: fc.constantFrom(400, 451),
    headers: headerEdits,
  }),
)
const promptGuard = fc.record({
  streaming: fc.boolean(),
  request: fc.array(
    fc
      .record({
        kind: guardKind,
        rejection,
        scope: fc.subarray(["systemPrompt", "messages", "toolOutput", "toolInput"], { minLength: 1 }),
      })
      .map(present),
    { minLength: 1, maxLength: 2 },
  ),
  response: fc.array(
    fc
      // What rewrites the messages has nothing to do with replies.
      .record({ kind: guardKind.map((kind) => ("isRaw" in kind ? { ...kind, isRaw: false } : kind)), rejection })
      .map(present),
    { maxLength: 2 },
  ),
}) as unknown as fc.Arbitrary<PromptGuard>

const prompts = fc.array(
  fc.record({ role: fc.constantFrom("system", "user", "assistant", "developer", "model", ""), content: words }),
  { maxLength: 2 },
)
const budget = fc
  .record({
    name: fc.constant("b"),
    key: orNothing(expression),
    usd: orNothing(fc.constantFrom(0.001, 5)),
    tokens: orNothing(fc.nat(200)),
    windowMillis: fc.constantFrom(1, 86_400_000),
    hard: fc.boolean(),
    store: orNothing(fc.constant("redis" as const)),
  })
  .map(present) as fc.Arbitrary<Budget>
const cache = fc
  .record({
    key: orNothing(expression),
    ttlMillis: fc.constantFrom(1, 60_000),
    store: fc.constant("memory" as const),
    entryBytesMax: fc.constantFrom(1, 100_000),
    keepsCadence: fc.boolean(),
    semantic: orNothing(
      fc.constant({ callee, path: "/e", model: "m", threshold: 0.5, entriesMax: 2, timeoutMillis: 1000 }),
    ),
  })
  .map(present) as fc.Arbitrary<ResponseCache>
const rules = fc.array(
  fc.record({ effect: fc.constantFrom("allow", "deny", "require"), expression: fc.oneof(condition, expression) }),
  { maxLength: 3 },
)
const mcpAuthorization = fc.array(
  fc
    .record({
      _tag: fc.constant("McpAuthorization"),
      rules,
      cedar: orNothing(
        fc.record({
          policies: fc.constantFrom("permit(principal, action, resource);", "forbid(principal, action, resource);"),
          entities: fc.constant([]),
          context: named.map((all) => all.filter(({ name }) => name !== "")),
        }),
      ),
    })
    .map(present),
  { maxLength: 2 },
) as unknown as fc.Arbitrary<ReadonlyArray<McpAuthorization>>
const methods = fc.constantFrom<McpGuardrails["processors"][number]["methods"]>(
  { "*": "full" },
  { "tools/*": "request" },
  { "*/call": "response", "tools/list": "off" },
  {},
)
const mcpGuardrails = fc.record({
  _tag: fc.constant("McpGuardrails"),
  processors: fc.array(
    fc.oneof(
      fc
        .record({
          _tag: fc.constant("Expressions"),
          methods,
          failureMode,
          when: orNothing(
            fc.oneof(condition, fc.constantFrom(...["mcp.params.arguments.a == 1", "mcp.result.x", "mcp"].map(cel))),
          ),
          reject: orNothing(fc.constant("no")),
          transform: orNothing(
            fc.oneof(
              expression,
              fc.constantFrom(...["mcp.params", "mcp.result", "{'a': mcp.methodName}", "[1]"].map(cel)),
            ),
          ),
        })
        .map(present),
      fc.record({
        _tag: fc.constant("Remote"),
        methods,
        failureMode,
        callee: fc.constant(callee),
        metadata: named,
        requestHeaders: fc.constantFrom({ allowed: [], disallowed: ["x-a"] }, { allowed: ["cookie"], disallowed: [] }),
      }),
    ),
    { maxLength: 2 },
  ),
}) as unknown as fc.Arbitrary<McpGuardrails>
const allowance = fc
  .record({
    _tag: fc.constant("A2a"),
    limit: orNothing(
      fc.record({
        _tag: fc.constant("LocalRateLimit"),
        limits: fc.array(
          fc
            .record({
              maxTokens: fc.nat(2),
              tokensPerFill: fc.constant(1),
              fillIntervalMillis: fc.constant(1000),
              type: fc.constant("requests"),
              key: orNothing(expression),
            })
            .map(present),
          { maxLength: 2 },
        ),
      }),
    ),
    budgets: orNothing(
      fc.array(
        fc
          .record({
            name: fc.constant("b"),
            key: orNothing(expression),
            messages: fc.nat(2),
            windowMillis: fc.constantFrom(1, 60_000),
            store: orNothing(fc.constant("redis")),
          })
          .map(present),
        { minLength: 1, maxLength: 2 },
      ),
    ),
  })
  .map(present) as unknown as fc.Arbitrary<A2a>

// What is decided ---------------------------------------------------------------------------------------------------

const writable = (reply: Reply): void => {
  assert.isTrue(Number.isInteger(reply.status) && reply.status >= 100 && reply.status <= 599, String(reply.status))
  for (const [name, value] of reply.headers) {
    assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/)
    assert.notMatch(value, /[\r\n\0]/)
  }
}

/** Reads it to its end, whichever that is. */
const readOut = (reply: Reply): Effect.Effect<void> => {
  writable(reply)
  return Effect.map(Effect.exit(Body.collect(reply.body, 1 << 24)), (exit) => {
    // A reply may break off; it does not end in a way that nobody thought of.
    if (Exit.isFailure(exit)) assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
  })
}

interface World extends Case {
  readonly ports: Computing
  readonly attempt: Try
  readonly account: Account
}

const world = (one: Case, ports: Computing): World => {
  const exchange = makeExchange(toldOf(one.asked))
  Object.assign(exchange, { plan: { ...exchange.plan, callees: { to: () => called(one.answer) } } })
  const attempt = new Try(exchange, exchange.request.copy())
  return { ...one, ports, attempt, account: new Account("chat", "m", false, one.spoken, 0) }
}

const replyOf = ({ reply }: Case): Reply =>
  makeReply({
    status: reply.status,
    headers: { ...Object.fromEntries(reply.fields), "content-type": reply.contentType },
    body: reply.isWhole ? reply.said : flowOf([reply.said]),
  })

const goneSpending: Spending = {
  book: () => Effect.fail({ _tag: "SpendingFailure", message: "gone" } as const),
  settle: () => {},
}
const spendingsOf = ({ answer }: Case, { clock }: Computing): Spendings => {
  let made = 0
  return { own: answer.fails ? goneSpending : spendingInMemory(clock.wallMillis, () => String(made++)) }
}

/** A decision that is compiled once and taken three times, since limits and caches remember. */
const taken = (decide: (one: Case, ports: Computing) => (world: World) => Effect.Effect<unknown>) => (one: Case) => {
  const ports = portsFor(one.answer)
  const decision = decide(one, ports)
  return Effect.forEach([1, 2, 3], () => Effect.suspend(() => decision(world(one, ports))), { discard: true })
}

type Deciding = fc.Arbitrary<(one: Case) => Effect.Effect<unknown>>

const refused = (error: unknown): Effect.Effect<void> =>
  Effect.sync(() => assert.isString((error as { readonly _tag?: unknown })._tag))

const events = {
  progress: () => {},
  log: () => {},
  notify: () => {},
  ask: () => Effect.never,
}

const kinds: Readonly<Record<string, Deciding>> = {
  "guards of models": promptGuard.map((policy) =>
    taken((_one, ports) => {
      const guarding = guardrails.compile(policy, ports)
      return (at) =>
        guarding === undefined
          ? Effect.void
          : Effect.flatMap(guarding.request(at.attempt, at.format, at.spoken, at.account), (passed) => {
              if (passed._tag === "Stopped") return readOut(passed.reply)
              JSON.stringify(passed.json)
              return Effect.flatMap(
                guarding.reply(at.attempt, at.format, replyOf(at), at.account, at.reply.isList),
                readOut,
              )
            })
    }),
  ),
  "prompts that are added": fc.tuple(prompts, prompts).map(([prepend, append]) =>
    taken(() => ({ format, spoken }) => {
      const changed = withPrompts(format, spoken, { prepend, append })
      return Effect.sync(() => JSON.stringify({ ...spoken, ...changed }))
    }),
  ),
  "budgets of models": fc.array(budget, { maxLength: 3 }).map((all) =>
    taken((one, ports) => {
      const spendings = spendingsOf(one, ports)
      const compiled = budgets.compile(all, ports, spendings, ports.clock)
      return ({ account, attempt, spoken }) => {
        const estimate = () => ({ tokens: budgets.outputMax(spoken), usd: 0.01 })
        return Effect.map(compiled?.admit(attempt, account, estimate) ?? budgets.freely, ({ refusal }) => {
          if (refusal !== undefined) assert.include([429, 503], refusal.error.status)
          account.settle(0)
        })
      }
    }),
  ),
  "answers of models that are kept": cache.map((policy) =>
    taken((_one, ports) => {
      const compiled = responseCache.compile(policy, {
        ports,
        clock: ports.clock,
        replies: repliesInMemory(100_000, ports.clock.nowMillis),
        sha256: (of) => String(of.length),
        generation: "g",
        similar: (_generation, entriesMax) => new Similar(entriesMax),
      })
      return (at) => {
        const place = { kind: "completions", inPath: undefined, isStreamingPath: false } as const
        const bytes = new TextEncoder().encode(JSON.stringify(at.spoken))
        const question = read(place, at.attempt.request.query, "application/json", bytes)
        const answering = () => Effect.succeed(replyOf(at))
        const answer = compiled(at.attempt, question, at.account, candidates([]), answering)
        return Effect.matchEffect(answer, { onFailure: refused, onSuccess: readOut })
      }
    }),
  ),
  "who may use which tool": mcpAuthorization.map((sets) =>
    taken((_one, ports) => {
      const access = Access.withinKey(Access.compile(sets, ports))
      return ({ attempt, spoken }) =>
        Effect.sync(() => {
          const judge = access.of(attempt.exchange)
          assert.isBoolean(access.isOpenTo(attempt.exchange))
          for (const kind of ["tool", "resource"] as const) {
            for (const name of ["a", "__proto__"]) {
              assert.isBoolean(judge.lists(kind, name, name))
              assert.isBoolean(judge.permits(kind, name, name, undefined))
              assert.isBoolean(judge.permits(kind, name, name, JSON.parse(JSON.stringify(spoken))))
            }
          }
        })
    }),
  ),
  "guards of tools": fc
    .tuple(mcpGuardrails, fc.constantFrom("tools/call", "tools/list", "initialize", "x", ""))
    .map(([policy, method]) =>
      taken((_one, ports) => {
        const guard = mcpGuard.compile(policy, ports)
        return (at) => {
          const call = {
            caller: {
              principal: "p",
              session: undefined,
              revision: "2025-06-18" as never,
              capabilities: "{}" as never,
              clientInfo: undefined,
              exchange: at.attempt.exchange,
            },
            method,
            params: Fields.parse(JSON.stringify(at.spoken) as never),
            wantsProgress: false,
            logLevel: undefined,
            paramHeaders: [],
            events,
          }
          const outcome = isJson(at.reply.said)
            ? { _tag: "Result" as const, result: at.reply.said, era: "modern" as const }
            : { _tag: "Error" as const, error: '{"code":1,"message":"m"}' as never, era: "modern" as const }
          const run = (): Effect.Effect<never> => Effect.succeed(outcome as never)
          if (guard === undefined) return Effect.void
          const both = Effect.flatMap(guard.call(["s"], call, run), (one) => {
            assert.include(["Result", "Error"], one._tag)
            return guard.all(["s", "t"], call, run())
          })
          // Nobody is reached here, so nobody can be out of reach.
          return Effect.orDie(both)
        }
      }),
    ),
  "guards of agents": promptGuard.map((policy) =>
    taken((_one, ports) => {
      const guard = a2aGuard.compile(policy, ports)
      return (at) => {
        const conversation = new Conversation(
          detect({ method: "POST", path: "/", contentType: "application/json" }),
          new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "SendMessage", params: at.spoken })),
        )
        const call = { operation: "SendMessage" as const, params: fieldsOf(at.spoken) }
        const headers = new Headers()
        const answer = at.reply.status === 200 ? result(at.spoken) : failed(fault("Internal", "gone"))
        return Effect.flatMap(guard.request(at.attempt, conversation, call), (passed) => {
          JSON.stringify("refused" in passed ? passed.fault : passed.params)
          return Effect.flatMap(guard.answer(at.attempt, conversation, answer, headers), (answered) => {
            if ("refused" in answered) writable(a2aGuard.dressed(makeReply({ origin: "gateway" }), answered, false))
            return Effect.flatMap(guard.stream(at.attempt, conversation, flowOf([at.reply.said]), headers), (body) =>
              readOut({ ...makeReply(), body }),
            )
          })
        })
      }
    }),
  ),
  "how often an agent may be asked": fc.tuple(allowance, fc.boolean()).map(([policy, answers]) =>
    taken((one, ports) => {
      const dispatch = {
        clock: ports.clock,
        agents: { spendings: spendingsOf(one, ports) },
      } as unknown as DispatchPorts
      const attempting = allowed(dispatch, ports, policy, "agent", () =>
        answers ? Effect.succeed(replyOf(one)) : Effect.fail({ _tag: "UpstreamFailed", detail: "gone", unsent: true }),
      )
      return ({ attempt, spoken }) => {
        const seen = detect({ method: "POST", path: "/", contentType: "application/json" })
        const body = new TextEncoder().encode(JSON.stringify({ method: "SendMessage", params: spoken }))
        const notes = (attempt.exchange.notes ??= {})
        notes.a2a = new Conversation(seen, body)
        return Effect.matchEffect(attempting(attempt), { onFailure: refused, onSuccess: readOut })
      }
    }),
  ),
  "questions that go round in circles": fc
    .tuple(fc.constantFrom("a2a" as const, "mcp" as const, "llm" as const), fc.array(words, { maxLength: 4 }), words)
    .map(([kind, via, state]) =>
      taken(() => {
        const hop = new Hops("s", (of) => `${of.length}abcdefabcdef`).at(kind, "agent")
        return ({ attempt }) =>
          Effect.sync(() => {
            const { headers } = attempt.request
            for (const one of via) headers.append("via", one)
            headers.set("tracestate", state)
            const before = hop.judge(headers)
            if (before !== undefined) assert.strictEqual(before._tag, "LoopDetected")
            hop.sign(headers, "1.1", true)
            hop.sign(headers, "1.1", true)
            // Whoever has signed knows its own hand.
            assert.strictEqual(hop.judge(headers)?._tag, "LoopDetected")
          })
      }),
    ),
}

describe("every decision that dispatch carries comes to an end that was thought of", () => {
  it.each(Object.keys(kinds))("%s", async (name) => {
    const decisions = kinds[name]
    if (decisions === undefined) throw new Error(name)
    await fc.assert(
      fc.asyncProperty(decisions, cases, async (decide, one) => {
        const exit = await Effect.runPromise(
          Effect.provideService(Effect.exit(Effect.timeout(decide(one), 20_000)), References.MinimumLogLevel, "None"),
        )
        if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
      }),
      { numRuns: 150 },
    )
  })
})
