/** Fields as they go on the wire of HTTP/1; what frames a body or belongs to a connection is written by whoever owns those. */
import { KnownFields, places } from "../../../protocols/http/KnownFields.ts"
import { token } from "../../../protocols/http/token.ts"

/** Something in it would end a line early, or be another character for whoever reads it. */
export class Unwritable extends Error {}

export const unwritableValue = /[^\t\x20-\x7e\x80-\xff]/

const WRITTEN = 0
const LEFT_OUT = 1
const CONNECTION = 2
const DATE = 3

interface Field {
  readonly spelling: string
  readonly kind: number
}

const ofConnections = ["content-length", "transfer-encoding", "proxy-connection", "keep-alive", "upgrade"]

export class FieldLines {
  private readonly known: KnownFields<Field>
  private readonly places = places<Field>()
  /** What the list last written said about itself. */
  hasDate = false
  closes = false

  constructor(leftOut: ReadonlyArray<string>) {
    const kinds = new Map<string, number>([...ofConnections, ...leftOut].map((name) => [name, LEFT_OUT]))
    kinds.set("connection", CONNECTION)
    kinds.set("date", DATE)
    this.known = new KnownFields((spelling) => {
      if (!token.test(spelling)) throw new Unwritable("invalid field name")
      return { spelling, kind: kinds.get(spelling.toLowerCase()) ?? WRITTEN }
    })
  }

  write(flat: ReadonlyArray<string>): string {
    this.hasDate = false
    this.closes = false
    let lines = ""
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const name = flat[i] as string
      const value = flat[i + 1] as string
      const { kind } = this.known.at(this.places, i >> 1, name)
      if (kind !== WRITTEN) {
        if (kind === DATE) this.hasDate = true
        else {
          if (kind === CONNECTION && /\bclose\b/i.test(value)) this.closes = true
          continue
        }
      }
      if (unwritableValue.test(value)) throw new Unwritable("invalid field value")
      lines += `${name}: ${value}\r\n`
    }
    return lines
  }

  /** Trailers as they stand behind the last chunk; those that cannot be written are left out. */
  writeTrailers(flat: ReadonlyArray<string>): string {
    let lines = ""
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const name = flat[i] as string
      const value = flat[i + 1] as string
      if (!token.test(name) || unwritableValue.test(value)) continue
      const { kind } = this.known.of(name)
      if (kind === LEFT_OUT || kind === CONNECTION) continue
      lines += `${name}: ${value}\r\n`
    }
    return lines
  }
}

/** Of replies, whoever writes them. */
export const replyLines = new FieldLines([])
