/** One exchange that is over, as everybody sees it who writes something down about it. What nobody asks for is not made. */
import type { Field } from "../../stages/5-policy/recording.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import { fieldsOfLine, type Line, type Place } from "./accessLog.ts"

export class Told {
  readonly exchange: Exchange
  readonly ending: Ending
  readonly line: Line
  readonly place: Place
  /** `Upstream` where an upstream simply answered. */
  readonly reason: string
  /** What protocols say of it, beside what holds for every exchange. */
  readonly spoken: ReadonlyArray<Field>
  /** By the wall clock. */
  readonly endedUnixMillis: number
  private known: ReadonlyArray<Field> | undefined = undefined

  constructor(
    exchange: Exchange,
    ending: Ending,
    line: Line,
    place: Place,
    reason: string,
    spoken: ReadonlyArray<Field>,
    endedUnixMillis: number,
  ) {
    this.exchange = exchange
    this.ending = ending
    this.line = line
    this.place = place
    this.reason = reason
    this.spoken = spoken
    this.endedUnixMillis = endedUnixMillis
  }

  /** Everything that an access log could hold of it, in its order. */
  get fields(): ReadonlyArray<Field> {
    if (this.known !== undefined) return this.known
    const all = fieldsOfLine(this.place, this.line)
    for (let i = 0; i < this.spoken.length; i++) all.push(this.spoken[i] as Field)
    return (this.known = all)
  }

  /** From the monotonic to the wall clock. */
  unixMillis(monotonicMillis: number): number {
    return this.endedUnixMillis - (this.ending.endedMillis - monotonicMillis)
  }
}

/** Writes down what interests it. */
export interface Witness {
  readonly wants: (exchange: Exchange, ending: Ending) => boolean
  readonly tell: (told: Told) => void
}

/** Lists of names come from configuration, the same one for exchange after exchange. */
const sets = new WeakMap<ReadonlyArray<string>, ReadonlySet<string>>()

const setOf = (names: ReadonlyArray<string>): ReadonlySet<string> => {
  let set = sets.get(names)
  if (set === undefined) sets.set(names, (set = new Set(names)))
  return set
}

/** Fields without those that were removed, and with the computed ones in place of those of the same name. */
export const arranged = (
  fields: ReadonlyArray<Field>,
  removed: ReadonlyArray<string>,
  computed: ReadonlyArray<Field>,
): ReadonlyArray<Field> => {
  if (removed.length === 0 && computed.length === 0) return fields
  const gone = setOf(removed)
  if (computed.length === 0) return fields.filter(([name]) => !gone.has(name))
  const replaced = new Set(computed.map(([name]) => name))
  return [...fields.filter(([name]) => !gone.has(name) && !replaced.has(name)), ...computed]
}
