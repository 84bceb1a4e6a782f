/**
 * A place that questions pass on their way to an agent, a tool or a model. Each is signed there, so that whoever sees it
 * come round again can tell.
 */
import { circle, placesInVia, stateOf, viaOf } from "../../protocols/http/hops.ts"
import type { Headers } from "../../protocols/http/headers.ts"
import { traceparentHeader, tracestateHeader } from "../../protocols/trace/context.ts"
import type { Refusal } from "../Refusal.ts"

export type HopKind = "a2a" | "mcp" | "llm"

/** Long enough that two places of one chain are never taken for each other. */
const PLACE_CHARS = 12

/** Names places so that another gateway's place of the same name has another one. */
export class Hops {
  private readonly secret: string
  private readonly digest: (text: string) => string

  /** `secret` is common to all that stand for the same gateway; `digest` is in hexadecimal. */
  constructor(secret: string, digest: (text: string) => string) {
    this.secret = secret
    this.digest = digest
  }

  at(kind: HopKind, name: string): Hop {
    return new Hop(this.digest(JSON.stringify([this.secret, kind, name])).slice(0, PLACE_CHARS))
  }
}

export class Hop {
  private readonly place: string | undefined

  /** Without a name questions are only counted. */
  constructor(place: string | undefined) {
    this.place = place
  }

  /** Refused where a question goes round in circles. */
  judge(headers: Headers): Refusal | undefined {
    const why = circle(headers.all("via"), headers.get(tracestateHeader), this.place)
    return why === undefined ? undefined : { _tag: "LoopDetected", detail: why }
  }

  /** Signs a question that goes on from here. */
  sign(headers: Headers, version: string, isTraced: boolean): void {
    headers.append("via", viaOf(version, this.place))
    // Without a trace nobody would carry its state on.
    if (this.place === undefined || !(isTraced || headers.has(traceparentHeader))) return
    headers.set(tracestateHeader, stateOf(joined(headers.all(tracestateHeader)), this.place))
  }
}

const joined = (values: ReadonlyArray<string>): string | undefined =>
  values.length === 0 ? undefined : values.join(",")

/** Whether a question has passed a gateway of ours already. */
export const isSigned = (headers: Headers): boolean => placesInVia(headers.all("via")).length > 0
