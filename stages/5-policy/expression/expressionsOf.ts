/** The expressions of the gateway a policy is compiled for. */
import type { Natives } from "../../../ir/cel/Natives.ts"
import type { PolicyPorts } from "../steps.ts"
import { Expressions } from "./Expressions.ts"

const nothing = new Uint8Array(0)

/** For a policy that is compiled by itself: what needs the outside fails. */
const withoutNatives = ({ random }: PolicyPorts["clock"]): Natives => ({
  compileRegex: () => "there are no regular expressions here",
  random,
  uuid: () => "",
  sha1: () => nothing,
  sha256: () => nothing,
  md5: () => nothing,
})

export const expressionsOf = ({ clock, expressions }: PolicyPorts): Expressions =>
  expressions ?? new Expressions({ clock, natives: withoutNatives(clock) })
