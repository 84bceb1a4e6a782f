/**
 * An HTTP API that is described by a document, as a server of tools. It has no sessions and asks nothing. What it answers
 * is the result of the call, errors included: a model can do something about those.
 */
import * as Effect from "effect/Effect"
import type { McpTarget as Described } from "../../../../ir/backend/Mcp.ts"
import { defaults } from "../../../../ir/defaults.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { arrayOf, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { challengeIn } from "../../../../protocols/oauth/challenge.ts"
import { type Choice, type Tools, toolsOf } from "../../../../protocols/openapi/document.ts"
import type { Json as Value } from "../../../../protocols/openapi/json.ts"
import type { Operation } from "../../../../protocols/openapi/Operation.ts"
import {
  type OperationRequest,
  requestOf,
  unknownArguments,
  WrongArguments,
} from "../../../../protocols/openapi/request.ts"
import { resultOf } from "../../../../protocols/openapi/result.ts"
import { RemoteDocument } from "../../../5-policy/RemoteDocument.ts"
import * as Body from "../../../Body.ts"
import { type Reply, Request } from "../../../Exchange.ts"
import { limits } from "../limits.ts"
import type { Documents, McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken } from "./Channel.ts"
import { failureOf } from "./failure.ts"
import type { Changed } from "./makeTarget.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { type Bearer, brokenOf, passedOn, unwanted } from "./outgoing.ts"

type OpenApi = Extract<Described, { readonly _tag: "OpenApi" }>

/** The tools of one version of the document. */
class Catalogue {
  readonly tools: Tools
  readonly byName: ReadonlyMap<string, Operation>
  /** The result of `tools/list`. */
  readonly listing: Json

  constructor(tools: Tools, ttlMillis: number) {
    this.tools = tools
    this.byName = new Map(tools.operations.map((operation) => [operation.name, operation]))
    this.listing = Fields.of({
      resultType: '"complete"',
      tools: arrayOf(tools.operations.map(({ tool }) => JSON.stringify(tool))),
      ttlMs: String(ttlMillis),
      cacheScope: '"public"',
    }).toJson()
  }
}

/** What never changes may be kept for a while; what may change is asked for again soon. */
const fixedMillis = 3_600_000
const fetchedMillis = 60_000

const result = (text: Json): Outcome => ({ _tag: "Result", result: text, era: "modern" })
const failed = (code: number, message: string): Outcome => ({
  _tag: "Error",
  error: errorOf(code, message),
  era: "modern",
})
const toolError = (message: string): Outcome =>
  result(`{"resultType":"complete","content":[{"type":"text","text":${JSON.stringify(message)}}],"isError":true}`)

const isNothing: Interest = { tools: false, prompts: false, resources: false, updates: [], tasks: [] }

export class OpenApiTarget implements McpTarget {
  readonly name: string
  private readonly described: OpenApi
  private readonly runtime: McpRuntime
  private readonly source: Catalogue | RemoteDocument<Catalogue> | { readonly problem: string }
  private readonly changed: Changed
  private readonly bearer: Bearer | undefined
  private seenVersion = 0
  private readonly listeners = new Set<ListenEvents>()

  constructor(
    described: OpenApi,
    runtime: McpRuntime,
    documents: Documents,
    changed: Changed,
    bearer: Bearer | undefined,
  ) {
    this.name = described.name
    this.described = described
    this.runtime = runtime
    this.changed = changed
    this.bearer = bearer
    const { basePath, document, exclude, include, outputSchema } = described
    const choice: Choice = { include, exclude, outputSchema, basePath }
    const isFixed = document._tag === "Inline"
    const decode = (text: string): Catalogue | string => {
      try {
        return new Catalogue(toolsOf(JSON.parse(text) as Value, choice), isFixed ? fixedMillis : fetchedMillis)
      } catch (cause) {
        return cause instanceof Error ? cause.message : "it cannot be read"
      }
    }
    if (document._tag === "Remote") {
      const { clock, run } = runtime
      this.source = new RemoteDocument(document.url, decode, { clock, run, fetch: documents.fetch })
    } else {
      const catalogue = decode(document.text)
      this.source = typeof catalogue === "string" ? { problem: catalogue } : catalogue
    }
  }

  private readonly catalogue: Effect.Effect<Catalogue, TargetFailure> = Effect.suspend(() => {
    const { source } = this
    if (source instanceof Catalogue) return Effect.succeed(source)
    if (!(source instanceof RemoteDocument)) return Effect.fail(this.unreachable(source.problem))
    const waiting = source.touch(this.runtime.clock.nowMillis() + limits.listMillis)
    const current = Effect.suspend(() => {
      this.notice(source)
      return source.value === undefined
        ? Effect.fail(this.unreachable("the document of the API could not be had"))
        : Effect.succeed(source.value)
    })
    return waiting === undefined ? current : Effect.andThen(waiting, current)
  })

  private notice({ version }: RemoteDocument<Catalogue>): void {
    if (version === this.seenVersion) return
    const isFirst = this.seenVersion === 0
    this.seenVersion = version
    if (isFirst) return
    this.changed("tools")
    for (const events of this.listeners) events.changed("tools")
  }

  private unreachable(message: string): TargetFailure {
    return { _tag: "Unreachable", target: this.name, message, began: false }
  }

  private get mayChange(): boolean {
    return this.source instanceof RemoteDocument
  }

  readonly discover = (_caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    Effect.map(this.catalogue, ({ tools }) => ({
      era: "modern",
      capabilities: this.mayChange ? '{"tools":{"listChanged":true}}' : '{"tools":{}}',
      serverInfo: JSON.stringify({ name: tools.title ?? this.name, version: this.runtime.version }),
      instructions: undefined,
      ttlMillis: this.mayChange ? fetchedMillis : fixedMillis,
      isPublic: true,
    }))

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    switch (call.method) {
      case "tools/list":
        return Effect.map(this.catalogue, ({ listing }) => result(listing))
      case "tools/call":
        return Effect.flatMap(this.catalogue, ({ byName }) => this.callTool(call, byName))
      case "ping":
      case "logging/setLevel":
        return Effect.succeed(result("{}"))
      default:
        return Effect.succeed(failed(codes.methodNotFound, `this server does not offer ${call.method}`))
    }
  }

  private callTool(call: Call, byName: ReadonlyMap<string, Operation>): Effect.Effect<Outcome, TargetFailure> {
    const name = call.params?.string("name") ?? ""
    const operation = byName.get(name)
    // It never asks, so what goes on here was begun elsewhere.
    if (call.params?.has("requestState") === true) {
      return Effect.succeed(failed(codes.invalidParams, "this request state is not known here"))
    }
    if (operation === undefined) return Effect.succeed(failed(codes.invalidParams, `Unknown tool: ${name}`))
    const args = call.params?.object("arguments")
    let request: OperationRequest
    try {
      const value = args === undefined ? undefined : (JSON.parse(args.toJson()) as Value)
      const unknown = unknownArguments(operation, value)
      if (unknown.length > 0) {
        return Effect.succeed(toolError(`Unknown arguments: ${unknown.join(", ")}. See the input schema of the tool.`))
      }
      request = requestOf(operation, value, this.boundary(), args?.get("body"))
    } catch (cause) {
      if (cause instanceof WrongArguments) return Effect.succeed(toolError(`Wrong arguments: ${cause.message}.`))
      throw cause
    }
    const { bearer } = this
    const sent =
      bearer === undefined
        ? this.send(call, request, undefined)
        : Effect.flatMap(bearer(call.caller.exchange), (token) => this.send(call, request, token))
    return Effect.mapError(sent, (failure) => failureOf(this.name, failure))
  }

  private boundary(): string {
    return `sluice-${this.runtime.sealer
      .digest(this.runtime.sealer.secret())
      .replaceAll(/[^A-Za-z0-9]/g, "")
      .slice(0, 32)}`
  }

  private send(
    { caller }: Call,
    { body, headers, method, path, query }: OperationRequest,
    token: string | undefined,
  ): Effect.Effect<Outcome, Broken> {
    const { callee, deadlines } = this.described
    const { exchange } = caller
    const request = new Request(
      method,
      "http",
      "",
      "",
      path,
      query,
      "1.1",
      new Headers([
        ...passedOn(exchange),
        "accept",
        "application/json, */*;q=0.5",
        "accept-encoding",
        "identity",
        ...headers,
        ...(token === undefined ? [] : ["authorization", `Bearer ${token}`]),
      ]),
      body === undefined ? Body.empty : Body.bytes(body),
      undefined,
    )
    const timeoutMillis = deadlines.idleMillis ?? defaults.mcpIdleTimeoutMillis
    return Effect.flatMap(
      Effect.mapError(exchange.plan.callees.to(callee, "Mcp")(exchange, request, timeoutMillis), brokenOf),
      (reply) =>
        this.bearer !== undefined && wantsAnotherToken(reply)
          ? Effect.fail(unwanted(reply, this.runtime.clock))
          : Effect.map(wholeOf(reply), (bytes) => outcomeOf(reply, bytes, path)),
    )
  }

  /** Nothing a client says outside a call is of interest to an API. */
  readonly notify = (): Effect.Effect<void> => Effect.void

  readonly listen = (_caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void> =>
    Effect.suspend(() => {
      events.acknowledged({ ...isNothing, tools: interest.tools && this.mayChange })
      this.listeners.add(events)
      return Effect.ensuring(
        Effect.never,
        Effect.sync(() => this.listeners.delete(events)),
      )
    })

  readonly held = (): undefined => undefined
  readonly restore = (): void => {}
  readonly release = (): Effect.Effect<void> => Effect.void
  readonly close = (): void => this.listeners.clear()
}

/** Whether an API asks for a token, or for one that is good for more; any other refusal is for the model to read. */
const wantsAnotherToken = ({ headers, status }: Reply): boolean =>
  status === 401 || (status === 403 && challengeIn(headers.get("www-authenticate"))?.error === "insufficient_scope")

const wholeOf = ({ body }: Reply): Effect.Effect<Uint8Array, Broken> => {
  if (body._tag === "Empty") return Effect.succeed(new Uint8Array(0))
  if (body._tag === "Bytes") return Effect.succeed(body.bytes)
  return Effect.matchEffect(Body.collect(body, limits.messageBytesMax), {
    onFailure: ({ message }) => Effect.fail(broken(message, true)),
    onSuccess: (collected) => {
      if (collected._tag === "Whole") return Effect.succeed(collected.bytes)
      Body.discard(collected.body)
      return Effect.fail(broken(`a reply of more than ${limits.messageBytesMax} bytes`, true))
    },
  })
}

const outcomeOf = ({ headers, status }: Reply, bytes: Uint8Array, path: string): Outcome =>
  result(
    `{"resultType":"complete",${resultOf({ status, contentType: headers.get("content-type"), bytes, path }).slice(1)}`,
  )
