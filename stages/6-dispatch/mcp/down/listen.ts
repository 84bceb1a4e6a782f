/** `subscriptions/listen`: a reply that lasts, and tells what its client asked to be told. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Envelope from "../../../../protocols/mcp/envelope.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import type { Reply } from "../../../Exchange.ts"
import { listenAll } from "../federation/listening.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { Caller, ListenEvents } from "../target/McpTarget.ts"
import { filterOf, interestOf } from "../target/ModernTarget.ts"
import { silent } from "../target/silent.ts"
import { plainChannel } from "./Delivery.ts"
import { errorReply } from "./replies.ts"

export const serveListen = (
  endpoint: McpEndpoint,
  caller: Caller,
  id: Json,
  params: Fields | undefined,
): Effect.Effect<Reply> =>
  Effect.sync(() => {
    const filter = params?.object("notifications")
    if (filter === undefined) {
      return errorReply(400, id, JsonRpc.codes.invalidParams, "`notifications` says what to tell, and is missing")
    }
    const { federation, state } = endpoint
    const interest = interestOf(filter)
    if (interest.updates.length > limits.updatesPerListenMax) {
      return errorReply(200, id, JsonRpc.codes.invalidParams, `at most ${limits.updatesPerListenMax} resources`)
    }
    let fiber: Fiber.Fiber<unknown, unknown> | undefined
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      unwatch()
      state.leaveListen(caller.principal, end)
      fiber?.interruptUnsafe()
    }
    /** As a server ends it that has nothing more to tell: the client may listen again, wherever it is led. */
    const end = (): void => {
      channel.message(JsonRpc.encodeResult(id, tag(Fields.of({ resultType: '"complete"' }))))
      channel.end()
      over()
    }
    if (!state.enterListen(caller.principal, end)) {
      return errorReply(429, id, JsonRpc.codes.internal, "too many streams are open")
    }
    const channel = plainChannel(state.runtime.clock, over)
    const tag = (text: Fields): Json => Envelope.withMeta(text, { [Envelope.keys.subscriptionId]: id }).toJson()
    const say = (method: string, text: Fields): void => channel.message(JsonRpc.encodeNotification(method, tag(text)))
    const events: ListenEvents = {
      acknowledged: (honoured) =>
        say("notifications/subscriptions/acknowledged", Fields.of({ notifications: filterOf(honoured).toJson() })),
      changed: (what) => say(`notifications/${what}/list_changed`, Fields.empty),
      updated: (updated) => {
        // Others of the same principal may listen to the same server for more; what is told may be a part of what was meant.
        const uri = updated.string("uri") ?? ""
        if (interest.updates.some((one) => uri.startsWith(one))) say("notifications/resources/updated", updated)
      },
      task: (method, task) => say(method, task),
      notify: () => {},
      ask: silent.ask,
    }
    /** The configuration has changed: what is to be listed now may be something else, and so may be who tells. */
    const unwatch = state.watch(endpoint.key, () => {
      for (const what of ["tools", "prompts", "resources"] as const) if (interest[what]) events.changed(what)
      end()
    })
    fiber = state.runtime.run(listenAll(federation, caller, interest, events))
    return channel.reply()
  })
