/**
 * A stream of a client's format that is held back until somebody has judged what it says. Its texts are gathered over
 * the events that carry them; the last of each is kept until more is known, so that nothing passes in two halves that
 * would not pass as a whole. What is replaced is replaced in the events themselves, which keep their order.
 */
import { at, isObject, type JsonObject, listOf, numberOf, parseJson, textOf } from "../Json.ts"
import type { ChatFormat, WireEvent } from "../Translation.ts"
import { MaskedText } from "./MaskedText.ts"
import { type Path, withTexts } from "./spots.ts"

/** A text inside an event, and which of the texts of the stream it continues. */
interface Piece {
  readonly channel: string
  readonly path: Path
  readonly text: string
  readonly start: number
  readonly end: number
}

/** A text that an event repeats as a whole. */
interface Repeat {
  readonly channel: string
  readonly path: Path
}

interface Held {
  readonly event: WireEvent
  readonly json: JsonObject | undefined
  readonly pieces: ReadonlyArray<Piece>
  readonly repeats: ReadonlyArray<Repeat>
  /** Ends everything: nothing more belongs to any text. */
  readonly isEnd: boolean
  readonly closes: ReadonlyArray<string>
}

class Channel {
  /** What came, from `base` on. */
  text = ""
  base = 0
  /** Judged and released up to here. */
  released = 0
  /** What was released already stands for everything up to here. */
  covered = 0
  /** Everything of it as it was released, for events that repeat it; dropped where nothing repeats. */
  said = ""
  isClosed = false
  /** How much must wait before it is judged again, once a judgement let nothing pass. */
  patience = 0
  masked: MaskedText | undefined
}

/** What is to be judged: a text with a little of what came before it. */
export interface Window {
  readonly channel: string
  readonly masked: MaskedText
}

export interface HeldLimits {
  /** How much of a text is kept until it goes on. */
  readonly tailChars: number
  /** How much must have come before it is worth asking. */
  readonly batchChars: number
  /** How much of the stream may be held. */
  readonly heldCharsMax: number
}

/** What an event says: the texts in it, those it repeats, and those that are over. */
export interface Found {
  readonly pieces: ReadonlyArray<{ readonly channel: string; readonly path: Path }>
  readonly repeats: ReadonlyArray<Repeat>
  readonly closes: ReadonlyArray<string>
}

const nothing: Found = { pieces: [], repeats: [], closes: [] }

const chat = (json: JsonObject): Found => ({
  pieces: listOf(json["choices"]).flatMap((choice, i) => {
    const channel = `${numberOf(at(choice, "index")) ?? i}`
    return ["content", "refusal"]
      .filter((name) => typeof at(choice, "delta", name) === "string")
      .map((name) => ({ channel: `${channel} ${name}`, path: ["choices", i, "delta", name] }))
  }),
  repeats: [],
  closes: listOf(json["choices"]).flatMap((choice, i) => {
    const channel = `${numberOf(at(choice, "index")) ?? i}`
    return typeof at(choice, "finish_reason") === "string" ? [`${channel} content`, `${channel} refusal`] : []
  }),
})

const messages = (json: JsonObject): Found => {
  const channel = `${numberOf(json["index"]) ?? 0}`
  switch (json["type"]) {
    case "content_block_start":
      return {
        ...nothing,
        pieces: at(json, "content_block", "type") === "text" ? [{ channel, path: ["content_block", "text"] }] : [],
      }
    case "content_block_delta":
      return {
        ...nothing,
        pieces: at(json, "delta", "type") === "text_delta" ? [{ channel, path: ["delta", "text"] }] : [],
      }
    case "content_block_stop":
      return { ...nothing, closes: [channel] }
    default:
      return nothing
  }
}

const itemRepeats = (item: unknown, output: number, path: Path): ReadonlyArray<Repeat> =>
  listOf(at(item, "content")).map((_, i) => ({
    channel: `${output}.${i}`,
    path: [
      ...path,
      "content",
      i,
      at(item, "content") === undefined
        ? ""
        : at(listOf(at(item, "content"))[i], "type") === "refusal"
          ? "refusal"
          : "text",
    ],
  }))

const responses = (json: JsonObject): Found => {
  const output = numberOf(json["output_index"]) ?? 0
  const channel = `${output}.${numberOf(json["content_index"]) ?? 0}`
  switch (json["type"]) {
    case "response.output_text.delta":
    case "response.refusal.delta":
      return { ...nothing, pieces: [{ channel, path: ["delta"] }] }
    case "response.output_text.done":
      return { pieces: [], repeats: [{ channel, path: ["text"] }], closes: [channel] }
    case "response.refusal.done":
      return { pieces: [], repeats: [{ channel, path: ["refusal"] }], closes: [channel] }
    case "response.content_part.done":
      return {
        pieces: [],
        repeats: [{ channel, path: ["part", at(json, "part", "type") === "refusal" ? "refusal" : "text"] }],
        closes: [channel],
      }
    case "response.output_item.done": {
      const repeats = itemRepeats(json["item"], output, ["item"])
      return { pieces: [], repeats, closes: repeats.map((one) => one.channel) }
    }
    case "response.completed":
    case "response.incomplete":
    case "response.failed": {
      const repeats = listOf(at(json, "response", "output")).flatMap((item, i) =>
        itemRepeats(item, i, ["response", "output", i]),
      )
      return { pieces: [], repeats, closes: repeats.map((one) => one.channel) }
    }
    default:
      return nothing
  }
}

const generate = (json: JsonObject): Found => ({
  pieces: listOf(json["candidates"]).flatMap((candidate, i) =>
    listOf(at(candidate, "content", "parts")).flatMap((part, j) =>
      typeof at(part, "text") === "string" && at(part, "thought") !== true
        ? [
            {
              channel: `${numberOf(at(candidate, "index")) ?? i}`,
              path: ["candidates", i, "content", "parts", j, "text"],
            },
          ]
        : [],
    ),
  ),
  repeats: [],
  closes: listOf(json["candidates"]).flatMap((candidate, i) =>
    typeof at(candidate, "finishReason") === "string" ? [`${numberOf(at(candidate, "index")) ?? i}`] : [],
  ),
})

/** Its events are told apart by their names, and by what is in them. */
const converse = (json: JsonObject): Found => {
  const channel = `${numberOf(json["contentBlockIndex"]) ?? 0}`
  if (isObject(json["delta"])) {
    return { ...nothing, pieces: "text" in json["delta"] ? [{ channel, path: ["delta", "text"] }] : [] }
  }
  return json["contentBlockIndex"] === undefined || json["start"] !== undefined
    ? nothing
    : { ...nothing, closes: [channel] }
}

const readers: Readonly<Record<ChatFormat, (json: JsonObject) => Found>> = {
  openaiChat: chat,
  anthropicMessages: messages,
  openaiResponses: responses,
  gemini: generate,
  bedrockConverse: converse,
}

const valueAt = (json: JsonObject, path: Path): unknown => {
  let here: unknown = json
  for (const name of path)
    here = typeof name === "number" ? listOf(here)[name] : isObject(here) ? here[name] : undefined
  return here
}

export class HeldStream {
  private readonly read: (json: JsonObject) => Found
  private readonly limits: HeldLimits
  private readonly repeats: boolean
  private readonly channels = new Map<string, Channel>()
  private queue: Array<Held> = []
  private heldChars = 0
  private isOver = false

  /** Of a format of models, or of whatever `format` reads. */
  constructor(format: ChatFormat | ((json: JsonObject) => Found), limits: HeldLimits) {
    this.read = typeof format === "function" ? format : readers[format]
    this.limits = limits
    this.repeats = format === "openaiResponses"
  }

  private channel(name: string): Channel {
    let channel = this.channels.get(name)
    if (channel === undefined) this.channels.set(name, (channel = new Channel()))
    return channel
  }

  take(event: WireEvent): void {
    const parsed = event.data === "[DONE]" ? undefined : parseJson(event.data)
    const json = isObject(parsed) ? parsed : undefined
    const found = json === undefined ? nothing : this.read(json)
    const pieces = found.pieces.flatMap(({ channel: name, path }): ReadonlyArray<Piece> => {
      const text = json === undefined ? undefined : textOf(valueAt(json, path))
      if (text === undefined || text === "") return []
      const channel = this.channel(name)
      const start = channel.base + channel.text.length
      channel.text += text
      channel.isClosed = false
      return [{ channel: name, path, text, start, end: start + text.length }]
    })
    for (const name of found.closes) this.channel(name).isClosed = true
    this.heldChars += event.data.length
    this.queue.push({
      event,
      json,
      pieces,
      repeats: found.repeats,
      closes: found.closes,
      isEnd: event.data === "[DONE]",
    })
  }

  /** Nothing more comes. */
  end(): void {
    this.isOver = true
  }

  private isFinal(channel: Channel): boolean {
    return this.isOver || channel.isClosed || this.heldChars > this.limits.heldCharsMax
  }

  /** Whether a text is to be judged now: it is over, or there is enough of it, and more than when nothing could pass. */
  private isRipe(channel: Channel): boolean {
    const waiting = channel.base + channel.text.length - channel.released
    if (waiting === 0) return false
    return (
      this.isFinal(channel) || waiting >= Math.max(channel.patience, this.limits.batchChars + this.limits.tailChars)
    )
  }

  /** Whether it is time to have something judged: the order is kept, so it is the first event that says so. */
  get isDue(): boolean {
    const [first] = this.queue
    return (
      first !== undefined &&
      first.pieces.every((piece) => {
        const channel = this.channel(piece.channel)
        return piece.end <= channel.released || this.isRipe(channel)
      })
    )
  }

  get isEmpty(): boolean {
    return this.queue.length === 0
  }

  /** Everything that has not been judged yet. */
  windows(): ReadonlyArray<Window> {
    const windows: Array<Window> = []
    for (const [name, channel] of this.channels) {
      channel.masked = undefined
      if (!this.isRipe(channel)) continue
      channel.masked = new MaskedText(channel.text)
      windows.push({ channel: name, masked: channel.masked })
    }
    return windows
  }

  /** Lets pass what was judged, with what was replaced in it. */
  release(): ReadonlyArray<WireEvent> {
    /** Up to where each text was judged in this round. */
    const judged = new Map<string, number>()
    for (const [name, channel] of this.channels) {
      const { masked } = channel
      if (masked === undefined) continue
      // More may have come while somebody was judging.
      const length = masked.original.length
      const isWhole = this.isFinal(channel) && length === channel.text.length
      const cut = isWhole ? length : masked.cutBefore(Math.max(0, length - this.limits.tailChars))
      judged.set(name, Math.max(channel.released, channel.base + cut))
    }
    const out: Array<WireEvent> = []
    const reached = new Map<string, number>()
    const limitOf = (name: string): number => judged.get(name) ?? this.channel(name).released
    while (this.queue.length > 0) {
      const [first] = this.queue
      if (first === undefined || !first.pieces.every((piece) => piece.end <= limitOf(piece.channel))) break
      this.queue.shift()
      this.heldChars -= first.event.data.length
      for (const piece of first.pieces) reached.set(piece.channel, piece.end)
      out.push(this.rewritten(first))
    }
    for (const [name, channel] of this.channels) {
      const waiting = channel.base + channel.text.length - channel.released
      // What is replaced as one is judged again when there is twice as much of it, not with every letter.
      if (channel.masked !== undefined) channel.patience = reached.has(name) ? 0 : waiting * 2
      channel.released = Math.max(channel.released, reached.get(name) ?? 0)
      const covered = channel.base + (channel.masked?.coveredUntil(channel.released - channel.base) ?? 0)
      channel.covered = Math.max(channel.covered, covered)
      channel.masked = undefined
      // A little of what has passed stays, for what follows to be seen in its light.
      const drop = Math.max(0, channel.released - this.limits.tailChars - channel.base)
      if (drop > 0) {
        channel.text = channel.text.slice(drop)
        channel.base += drop
      }
    }
    return out
  }

  private rewritten({ event, json, pieces, repeats }: Held): WireEvent {
    if (json === undefined) return event
    const texts: Array<readonly [Path, string]> = []
    for (const piece of pieces) {
      const channel = this.channel(piece.channel)
      const { masked } = channel
      const known = Math.max(channel.released, channel.covered)
      const start = Math.max(piece.start, channel.covered)
      const text =
        masked === undefined
          ? piece.text
          : start >= piece.end
            ? ""
            : masked.between(start - channel.base, piece.end - channel.base, start === known)
      if (this.repeats) channel.said += text
      if (text !== piece.text) texts.push([piece.path, text])
    }
    for (const { channel: name, path } of repeats) {
      const said = this.channels.get(name)?.said
      const whole = textOf(valueAt(json, path))
      if (said !== undefined && whole !== undefined && whole !== said) texts.push([path, said])
    }
    if (texts.length === 0) return event
    const spots = new Map(
      texts.map(([path, text]) => [
        { path, inner: undefined, text, scope: "messages" as const, role: "", group: 0 },
        text,
      ]),
    )
    return { ...event, data: JSON.stringify(withTexts(json, spots)) }
  }
}
