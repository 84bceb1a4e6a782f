/** How the events of a stream are carried, in both directions, indifferent to how the bytes are cut. */
import { join } from "../bytes.ts"
import { encodeSse, SseParser } from "../http/sse.ts"
import { encodeEventStreamMessage, EventStreamDecoder, type EventStreamMessage } from "./framing/awsEventStream.ts"
import { JsonArrayDecoder } from "./framing/jsonArray.ts"
import type { Format, WireEvent } from "./Translation.ts"

export type Framing = "sse" | "awsEventStream" | "jsonArray"

export const contentTypes: Readonly<Record<Framing, string>> = {
  sse: "text/event-stream",
  awsEventStream: "application/vnd.amazon.eventstream",
  jsonArray: "application/json",
}

/** Both answer with a reason once the bytes are not of the framing, or end inside it. */
export interface EventDecoder {
  readonly feed: (chunk: Uint8Array) => string | undefined
  readonly end: () => string | undefined
}

const utf8 = new TextDecoder()

/** Exceptions and errors of the transport get a name that no event has. */
const wireEvent = ({ headers, payload }: EventStreamMessage): WireEvent => {
  const type = headers.get(":message-type")
  const name = headers.get(":event-type")
  const data = utf8.decode(payload)
  if (type === "exception") return { event: `exception:${String(headers.get(":exception-type") ?? "")}`, data }
  if (type === "error") {
    const message = headers.get(":error-message")
    return {
      event: `exception:${String(headers.get(":error-code") ?? "")}`,
      data: JSON.stringify({ message: typeof message === "string" ? message : "the stream reported an error" }),
    }
  }
  return { event: typeof name === "string" ? name : undefined, data }
}

export const eventDecoder = (framing: Framing, onEvent: (event: WireEvent) => void, sizeMax?: number): EventDecoder => {
  switch (framing) {
    case "sse": {
      // Events without data carry nothing of a model.
      const parser = new SseParser((event) => {
        if (event.data !== "") onEvent({ event: event.event, data: event.data })
      }, sizeMax)
      const tooLarge = "an event is larger than what may be held"
      return {
        feed: (chunk) => (parser.feed(chunk) ? undefined : tooLarge),
        end: () => (parser.end() ? undefined : tooLarge),
      }
    }
    case "awsEventStream": {
      const decoder = new EventStreamDecoder((message) => onEvent(wireEvent(message)), sizeMax)
      return { feed: (chunk) => decoder.feed(chunk), end: () => decoder.end() }
    }
    case "jsonArray": {
      const decoder = new JsonArrayDecoder((data) => onEvent({ data }), sizeMax)
      return { feed: (chunk) => decoder.feed(chunk), end: () => decoder.end() }
    }
  }
}

export interface EventEncoder {
  readonly events: (events: ReadonlyArray<WireEvent>) => Uint8Array
  readonly end: () => Uint8Array
}

const encoder = new TextEncoder()
const nothing = new Uint8Array(0)

const eventStreamMessage = ({ data, event = "" }: WireEvent): Uint8Array => {
  const isException = event.startsWith("exception:")
  const kind = isException ? "exception" : "event"
  return encodeEventStreamMessage(
    {
      [`:${kind}-type`]: isException ? event.slice("exception:".length) : event,
      ":content-type": "application/json",
      ":message-type": kind,
    },
    encoder.encode(data),
  )
}

/** Towards clients. */
export const eventEncoder = (framing: Framing): EventEncoder => {
  switch (framing) {
    case "sse":
      return {
        events: (events) => {
          let text = ""
          for (const event of events) text += encodeSse(event)
          return encoder.encode(text)
        },
        end: () => nothing,
      }
    case "awsEventStream":
      return { events: (events) => join(events.map(eventStreamMessage)), end: () => nothing }
    case "jsonArray": {
      let any = false
      return {
        events: (events) => {
          let text = ""
          for (const { data } of events) {
            text += `${any ? ",\r\n" : "["}${data}`
            any = true
          }
          return encoder.encode(text)
        },
        end: () => encoder.encode(any ? "]" : "[]"),
      }
    }
  }
}

/** How a client of a format takes its events, unless it asks for a list. */
export const framingOf = (format: Format | undefined): Framing =>
  format === "bedrockConverse" ? "awsEventStream" : "sse"
