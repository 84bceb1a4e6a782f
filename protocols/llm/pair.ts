/** A translation out of the half that clients speak and the half that the upstream speaks. */
import * as Result from "effect/Result"
import type { Delta, Finish } from "./Conversation.ts"
import type { ClientHalf, Context, UpstreamHalf } from "./format/Format.ts"
import { freeTextDeltas, freeTextReply, freeTextTools } from "./freeText.ts"
import { isObject, type JsonObject } from "./Json.ts"
import type { LlmError } from "./LlmError.ts"
import { Notes } from "./Notes.ts"
import type { Prepared, Seen, StreamTranslator, Translation, Untranslatable, WireEvent } from "./Translation.ts"
import { later, type Usage } from "./Usage.ts"

const endedEarly: LlmError = {
  kind: "unavailable",
  status: 502,
  message: "the stream of the model ended before it was finished",
}

/** The stages a stream of the upstream goes through on its way to the client. */
class Stream implements StreamTranslator {
  private out: Array<WireEvent> = []
  private usage: Usage | undefined
  private model: string | undefined
  private finish: Finish | undefined
  private content = false
  private error: LlmError | undefined
  private over = false
  private readonly reader
  private readonly writer

  constructor(client: ClientHalf, upstream: UpstreamHalf, context: Context) {
    this.writer = client.streamWriter(context, (event) => void this.out.push(event))
    const take = (delta: Delta): void => this.take(delta)
    const isFree = freeTextTools(context.request, context.names)
    this.reader = upstream.streamReader(context, isFree === undefined ? take : freeTextDeltas(isFree, take))
  }

  readonly feed = (event: WireEvent): ReadonlyArray<WireEvent> => {
    if (this.over) return []
    this.reader.feed(event)
    return this.flush()
  }

  readonly end = (): ReadonlyArray<WireEvent> => {
    if (this.over) return []
    if (this.finish === undefined) return this.fail(endedEarly)
    this.over = true
    this.writer.end()
    return this.flush()
  }

  readonly fail = (error: LlmError): ReadonlyArray<WireEvent> => {
    if (this.over) return []
    this.over = true
    this.error = error
    this.writer.fail(error)
    return this.flush()
  }

  readonly seen = (): Seen => ({
    usage: this.usage,
    model: this.model,
    finish: this.finish,
    content: this.content,
    error: this.error,
    over: this.over,
  })

  private take(delta: Delta): void {
    if (this.over) return
    switch (delta.kind) {
      case "start":
        this.model ??= delta.model
        break
      case "open":
        this.content ||= delta.opening.kind === "toolCall" || delta.opening.kind === "media"
        break
      case "grow":
        this.content ||= delta.text !== ""
        break
      case "usage":
        this.usage = later(this.usage, delta.usage)
        this.writer.write({ kind: "usage", usage: this.usage })
        return
      case "finish":
        this.finish ??= delta.finish
        break
      case "error":
        this.over = true
        this.error = delta.error
        this.writer.fail(delta.error)
        return
      case "end":
        this.over = true
        if (this.finish === undefined) {
          this.error = endedEarly
          this.writer.fail(endedEarly)
        } else this.writer.end()
        return
      default:
    }
    this.writer.write(delta)
  }

  private flush(): ReadonlyArray<WireEvent> {
    const events = this.out
    if (events.length === 0) return events
    this.out = []
    return events
  }
}

const notAnObject: Untranslatable = { path: "", reason: "the body is not a JSON object" }

export const pair = (client: ClientHalf, upstream: UpstreamHalf): Translation => {
  const request: Translation["request"] = (body, call) => {
    if (!isObject(body)) return Result.fail(notAnObject)
    const notes = new Notes()
    const read = client.readRequest(body, notes)
    const asked = call.stream === undefined ? read : { ...read, stream: call.stream }
    if (notes.refusal !== undefined) return Result.fail(notes.refusal)
    const context: Context = {
      call,
      request: asked,
      body,
      names: upstream.toolNames(),
      from: client.format,
      to: upstream.format,
      headers: {},
    }
    const written = upstream.writeRequest(asked, context, notes)
    if (notes.refusal !== undefined) return Result.fail(notes.refusal)
    const prepared: Prepared = {
      body: written,
      streaming: asked.stream,
      dropped: notes.dropped,
      reply: (reply, headers = {}) => {
        if (!isObject(reply)) return Result.fail(notAnObject)
        const here: Context = { ...context, headers }
        const answered = upstream.readReply(reply, here)
        if ("reason" in answered) return Result.fail(answered)
        const isFree = freeTextTools(asked, context.names)
        const read = isFree === undefined ? answered : freeTextReply(answered, isFree)
        return Result.succeed({
          body: client.writeReply(read, here) satisfies JsonObject,
          usage: read.usage,
          model: read.model,
          finish: read.choices[0]?.finish,
        })
      },
      stream: () => new Stream(client, upstream, context),
    }
    return Result.succeed(prepared)
  }
  return { from: client.format, to: upstream.format, request }
}
