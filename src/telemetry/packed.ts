/**
 * What remains of an exchange as bytes. Thousands are kept and hardly one is read: as objects each would outlive several
 * garbage collections, which costs a multiple of writing it down.
 */
import type { Json } from "../../ir/cel/toJson.ts"
import type { Match } from "../../ir/Match.ts"
import type { Writer } from "../../protocols/protobuf/Writer.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { TimedNote } from "../../stages/Inquiry.ts"
import type { Called, Remains } from "./Remains.ts"
import type { Step } from "./spokenSteps.ts"

/** What one record may take; beyond it the notes end. */
const recordBytesMax = 256 * 1024

const ABSENT = 0
const TEXT = 1
const NUMBER = 2
const JSON_TEXT = 3
/** The condition of the route, which a note often repeats. */
const MATCH = 4

/** Conditions come from configuration, the same one for exchange after exchange. */
const matches = new WeakMap<Match, string>()

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? "null"
  } catch {
    return JSON.stringify(String(value))
  }
}

const matchText = (match: Match): string => {
  let text = matches.get(match)
  if (text === undefined) matches.set(match, (text = json(match)))
  return text
}

const writeValue = (writer: Writer, value: unknown): void => {
  if (value === undefined) writer.byte(ABSENT)
  else if (typeof value === "string") writer.byte(TEXT).string(value)
  else if (typeof value === "number") writer.byte(NUMBER).double(value)
  else writer.byte(JSON_TEXT).string(json(value))
}

const writeNote = (
  writer: Writer,
  { atMillis, decision, detail, stage }: TimedNote,
  match: Match | undefined,
): void => {
  writer.double(atMillis).string(stage).string(decision)
  if (detail !== undefined && detail === match) writer.byte(MATCH)
  else writeValue(writer, detail)
}

const none: ReadonlyArray<TimedNote> = []

export const write = (writer: Writer, remains: Remains): void => {
  const { fields, match, notes, spans, steps } = remains
  writer.string(remains.id)
  writer.double(remains.startedMillis).double(remains.endedMillis).double(remains.startedUnixMillis)
  writer.uint32(fields.length)
  for (let i = 0; i < fields.length; i++) {
    const [name, value] = fields[i] as Field
    writer.string(name)
    writeValue(writer, value)
  }
  writer.uint32(remains.status).uint32(remains.attempts).bool(remains.isOwn)
  writer.string(remains.reason).string(remains.outcome)
  writeValue(writer, remains.error)
  writeValue(writer, remains.endpoint)
  writeValue(writer, remains.listenerName)
  writeValue(writer, remains.routeName)
  writeValue(writer, remains.listener)
  writeValue(writer, remains.route)
  writeValue(writer, remains.backend)
  writeValue(writer, remains.refusal)
  writeValue(writer, remains.refusedBy)
  writeValue(writer, remains.problem)
  writeValue(writer, match === undefined ? undefined : matchText(match))
  writeValue(writer, remains.declined)
  writeValue(writer, steps.length === 0 ? undefined : steps)
  writer.bool(spans !== undefined)
  if (spans !== undefined) {
    writer.uint32(spans.length)
    for (let i = 0; i < spans.length; i++) {
      const { endedMillis, error, name, startedMillis } = spans[i] as Called
      writer.string(name).double(startedMillis).double(endedMillis)
      writeValue(writer, error)
    }
  }
  let dropped = remains.notesDropped
  // Each note says that it is there, so that they can end anywhere.
  const all = notes ?? none
  for (let i = 0; i < all.length; i++) {
    if (writer.length > recordBytesMax) {
      dropped += all.length - i
      break
    }
    writer.byte(1)
    writeNote(writer, all[i] as TimedNote, match)
  }
  writer
    .byte(0)
    .bool(notes !== undefined)
    .uint32(dropped)
}

const decoder = new TextDecoder()

class Reader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  byte(): number {
    return this.view.getUint8(this.at++)
  }

  uint32(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  double(): number {
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  string(): string {
    const length = this.uint32()
    const begin = this.at
    this.at += length
    return decoder.decode(this.bytes.subarray(begin, this.at))
  }

  /** `match`: what a note means that repeats it. */
  value(match?: Match): unknown {
    switch (this.byte()) {
      case TEXT:
        return this.string()
      case NUMBER:
        return this.double()
      case JSON_TEXT:
        return JSON.parse(this.string())
      case MATCH:
        return match
      default:
        return undefined
    }
  }

  /** A text, or nothing. */
  text(): string | undefined {
    const value = this.value()
    return typeof value === "string" ? value : undefined
  }
}

/** The name of the exchange, without the rest. */
export const idOf = (record: Uint8Array): string => new Reader(record).string()

const fieldsOf = (reader: Reader): ReadonlyArray<Field> =>
  Array.from({ length: reader.uint32() }, (): Field => [reader.string(), reader.value() as Json])

const spansOf = (reader: Reader): ReadonlyArray<Called> =>
  Array.from({ length: reader.uint32() }, (): Called => ({
    name: reader.string(),
    startedMillis: reader.double(),
    endedMillis: reader.double(),
    error: reader.text(),
  }))

/** What `write` wrote: names are read in the order in which they stand here. */
export const read = (record: Uint8Array): Remains => {
  const reader = new Reader(record)
  const head = {
    id: reader.string(),
    startedMillis: reader.double(),
    endedMillis: reader.double(),
    startedUnixMillis: reader.double(),
    fields: fieldsOf(reader),
    status: reader.uint32(),
    attempts: reader.uint32(),
    isOwn: reader.byte() === 1,
    reason: reader.string(),
    outcome: reader.string() as Remains["outcome"],
    error: reader.text(),
    endpoint: reader.text(),
    listenerName: reader.text(),
    routeName: reader.text(),
    listener: reader.text(),
    route: reader.text(),
    backend: reader.text(),
    refusal: reader.text() as Remains["refusal"],
    refusedBy: reader.text(),
    problem: reader.text(),
  }
  const condition = reader.text()
  const match = condition === undefined ? undefined : (JSON.parse(condition) as Match)
  const declined = reader.value() as Remains["declined"]
  const steps = (reader.value() ?? []) as ReadonlyArray<Step>
  const spans = reader.byte() === 1 ? spansOf(reader) : undefined
  const notes: Array<TimedNote> = []
  while (reader.byte() === 1) {
    notes.push({
      atMillis: reader.double(),
      stage: reader.string(),
      decision: reader.string(),
      detail: reader.value(match),
    })
  }
  const wasAsked = reader.byte() === 1
  return { ...head, match, declined, steps, spans, notes: wasAsked ? notes : undefined, notesDropped: reader.uint32() }
}
