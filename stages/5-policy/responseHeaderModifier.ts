/** Fixed edits of the reply's headers, whoever made the reply; `:status` stands for its status. */
import type { HeaderEdits } from "../../ir/policy/HeaderEdits.ts"
import type { Reply, Subject } from "../Exchange.ts"
import { applyFields, compileFields, type FieldEdits, isIdle } from "./headerEdits.ts"
import { type Layer, slot } from "./order.ts"
import { pass, promise, type Step, unusable } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

export interface ReplyEdits {
  readonly fields: FieldEdits
  readonly status: number | undefined
}

/** A text says why the edits cannot be made. */
export const compileEdits = (edits: HeaderEdits): ReplyEdits | string => {
  let status: number | undefined
  const fields = compileFields(edits, (name, value) => {
    if (!name.startsWith(":") || value === undefined) return name.startsWith(":")
    if (name !== ":status") return `${name} is not part of a reply`
    if (!/^[2-5]\d\d$/.test(value)) return `${JSON.stringify(value)} is not the status of a final reply`
    status = Number(value)
    return true
  })
  return typeof fields === "string" ? fields : { fields, status }
}

export const applyEdits = (edits: ReplyEdits, reply: Reply): void => {
  applyFields(edits.fields, reply.headers)
  // Whoever was given the raw connection was told so by this very status.
  if (edits.status !== undefined && reply.tunnel === undefined) reply.status = edits.status
}

export const compile = (policy: HeaderEdits, _ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const edits = compileEdits(policy)
  if (typeof edits === "string") return unusable("ResponseHeaderModifier", edits)
  if (isIdle(edits.fields) && edits.status === undefined) return undefined
  const own = slot("ResponseHeaderModifier", layer)
  const edit = (reply: Reply): undefined => applyEdits(edits, reply) as undefined
  return {
    kind: "ResponseHeaderModifier",
    run: ({ exchange }) => {
      promise(exchange, own, edit)
      return pass
    },
  }
}
