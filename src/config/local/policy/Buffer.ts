/** `buffer`: bodies that are read whole before they are sent on. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { BodyBuffer, Buffer as IrBuffer } from "../../../../ir/policy/Buffer.ts"
import { Count, failureMode, opt } from "../grammar.ts"
import { present } from "../present.ts"

const hold = opt(Schema.Struct({ maxBytes: opt(Count), failureMode: opt(failureMode) }))
export const Buffer = Schema.Struct({ request: hold, response: hold }).annotate({ identifier: "Buffer" })
export type Buffer = typeof Buffer.Type

const bodyBuffer = (one: NonNullable<Buffer["request"]>): BodyBuffer => ({
  ...present({ maxBytes: one.maxBytes }),
  failureMode: one.failureMode ?? defaults.failureMode,
})

export const buffer = (policy: Buffer): IrBuffer => ({
  _tag: "Buffer",
  ...present({
    request: policy.request === undefined ? undefined : bodyBuffer(policy.request),
    response: policy.response === undefined ? undefined : bodyBuffer(policy.response),
  }),
})
