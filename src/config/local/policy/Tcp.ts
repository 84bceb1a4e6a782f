/** `tcp` of the frontend: connections from clients. */
import * as Schema from "effect/Schema"
import type { Tcp as IrTcp } from "../../../../ir/policy/Tcp.ts"
import { Keepalive, keepalive } from "./Keepalive.ts"

export const Tcp = Schema.Struct({ keepalives: Keepalive }).annotate({ identifier: "FrontendTcp" })
export type Tcp = typeof Tcp.Type

export const tcp = (policy: Tcp): IrTcp => ({ _tag: "Tcp", keepalive: keepalive(policy.keepalives) })
