/** MCP servers as an agent: their tools are its skills, and a message is a call of one of them. */
import * as Effect from "effect/Effect"
import { cardOfTools, toolsIn, type Words } from "../../../../protocols/a2a/publish/card.ts"
import {
  callOf,
  partsOfResult,
  questionsOf,
  responsesOf,
  type ToolCall,
} from "../../../../protocols/a2a/publish/toolCall.ts"
import { type Fields, fieldsOf, isFields, parse, textOf } from "../../../../protocols/a2a/Fields.ts"
import { keys } from "../../../../protocols/mcp/envelope.ts"
import { latest } from "../../../../protocols/mcp/revision.ts"
import { encode } from "../../../../protocols/mcp/header.ts"
import type { Exchange, Request } from "../../../Exchange.ts"
import * as Refusal from "../../../Refusal.ts"
import { contentOf, readEvents, textOf as wholeOf } from "../../mcp/target/reading.ts"
import { call, type Inner } from "./inner.ts"
import { type Done, failedWith, type Work } from "./Work.ts"

export interface ServerWords extends Words {
  readonly pushes: boolean
  readonly gateway: string
}

/** More pages of tools than anybody chooses from. */
const PAGES_MAX = 16
const ROUNDS_MAX = 10

/** What a tool wanted to know, until somebody answers. */
interface Pending {
  readonly call: ToolCall
  readonly inputRequests: Fields
  readonly requestState: unknown
}

const pendingIn = (more: unknown): Pending | undefined => {
  const { call: asked, inputRequests, requestState } = fieldsOf(more)
  const { arguments: args, name } = fieldsOf(asked)
  return textOf(name) === undefined
    ? undefined
    : { call: { name: String(name), arguments: fieldsOf(args) }, inputRequests: fieldsOf(inputRequests), requestState }
}

type Said = { readonly result: Fields } | { readonly error: string }

export const serverWork = (words: ServerWords, inner: Inner): Work => {
  const { clock } = inner

  const ask = (
    exchange: Exchange,
    request: Request,
    method: string,
    params: Fields,
    progress: ((text: string) => void) | undefined,
  ): Effect.Effect<Said> => {
    const meta = {
      [keys.protocolVersion]: latest,
      [keys.clientCapabilities]: { elicitation: { form: {}, url: {} } },
      [keys.clientInfo]: { name: words.gateway, version: "1" },
      ...(progress === undefined ? {} : { progressToken: 1 }),
    }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } })
    const name = textOf(params["name"])
    const fields = [
      "accept",
      "application/json, text/event-stream",
      "mcp-protocol-version",
      latest,
      "mcp-method",
      method,
      ...(name === undefined ? [] : ["mcp-name", encode(name)]),
    ]
    return Effect.matchEffect(call(inner, exchange, request, "/mcp", fields, body), {
      onFailure: (refusal): Effect.Effect<Said> => Effect.succeed({ error: Refusal.message(refusal) }),
      onSuccess: (reply): Effect.Effect<Said> => {
        let said: Said | undefined
        const take = (text: string): boolean => {
          const message = fieldsOf(parse(text)?.value)
          if (message["method"] === "notifications/progress") {
            const { message: words, progress: value } = fieldsOf(message["params"])
            progress?.(textOf(words) ?? `progress ${String(value)}`)
          }
          if (isFields(message["result"])) said = { result: message["result"] }
          else if (isFields(message["error"])) said = { error: textOf(message["error"]["message"]) ?? "it failed" }
          return said !== undefined
        }
        const read =
          contentOf(reply) === "events"
            ? readEvents(reply, {
                clock,
                idleMillis: Number.POSITIVE_INFINITY,
                event: ({ data }) => data !== "" && take(data),
              })
            : Effect.map(wholeOf(reply), take)
        return Effect.match(read, {
          onFailure: ({ message }): Said => ({ error: message }),
          onSuccess: (): Said => said ?? { error: `the tools answered with the status ${reply.status}` },
        })
      },
    })
  }

  /** All that this caller may use. */
  const tools = (
    exchange: Exchange,
    request: Request,
    cursor?: unknown,
    page = 1,
  ): Effect.Effect<ReadonlyArray<Fields>, string> =>
    Effect.flatMap(
      ask(exchange, request, "tools/list", cursor === undefined ? {} : { cursor }, undefined),
      (said): Effect.Effect<ReadonlyArray<Fields>, string> => {
        if ("error" in said) return Effect.fail(said.error)
        const here = toolsIn(said.result)
        const next = said.result["nextCursor"]
        if (next === undefined || next === null || page >= PAGES_MAX) return Effect.succeed(here)
        return Effect.map(tools(exchange, request, next, page + 1), (more) => [...here, ...more])
      },
    )

  return {
    card: (exchange, request) => Effect.map(tools(exchange, request), (all) => cardOfTools(words, all, words.pushes)),
    refuses: () => undefined,
    run: ({ exchange, message, more, request, skill }, { makes, says }) => {
      const done = (asked: ToolCall, said: Said, round: number): Effect.Effect<Done> => {
        if ("error" in said) return Effect.succeed(failedWith(said.error))
        const questions = questionsOf(said.result)
        if (questions === undefined) {
          const parts = partsOfResult(said.result)
          if (said.result["isError"] === true) return Effect.succeed({ state: "TASK_STATE_FAILED", parts })
          makes({ artifactId: "result", name: asked.name, parts }, false, true)
          return Effect.succeed({ state: "TASK_STATE_COMPLETED" })
        }
        const { requestState } = said.result
        if (questions.keys.length === 0) {
          // It only wants to be asked again.
          return round >= ROUNDS_MAX
            ? Effect.succeed(failedWith("It took too many rounds."))
            : Effect.delay(put(asked, { requestState }, round + 1), 500 * (round + 1))
        }
        const pending: Pending = { call: asked, inputRequests: fieldsOf(said.result["inputRequests"]), requestState }
        return Effect.succeed({
          state: questions.isSignIn ? "TASK_STATE_AUTH_REQUIRED" : "TASK_STATE_INPUT_REQUIRED",
          parts: questions.parts,
          more: pending,
        })
      }
      const put = (asked: ToolCall, answers: Fields, round: number): Effect.Effect<Done> =>
        Effect.suspend(() =>
          Effect.flatMap(
            ask(exchange, request, "tools/call", { name: asked.name, arguments: asked.arguments, ...answers }, says),
            (said) => done(asked, said, round),
          ),
        )
      const pending = pendingIn(more)
      if (pending !== undefined) {
        const { inputRequests, requestState } = pending
        const inputResponses = responsesOf(message, inputRequests)
        return put(pending.call, requestState === undefined ? { inputResponses } : { inputResponses, requestState }, 0)
      }
      return Effect.matchEffect(tools(exchange, request), {
        onFailure: (why) => Effect.succeed(failedWith(`The tools cannot be listed: ${why}`)),
        onSuccess: (all): Effect.Effect<Done> => {
          const asked = callOf(message, skill, all)
          return "question" in asked
            ? Effect.succeed({ state: "TASK_STATE_INPUT_REQUIRED", parts: [{ text: asked.question }] })
            : put(asked, {}, 0)
        },
      })
    },
  }
}
