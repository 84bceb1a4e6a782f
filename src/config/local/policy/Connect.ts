/** `connect`: what becomes of requests for tunnels. */
import * as Schema from "effect/Schema"
import type { Connect as IrConnect } from "../../../../ir/policy/Connect.ts"
import { anyCase } from "../grammar.ts"

export const Connect = Schema.Struct({ mode: anyCase(["deny", "route", "tunnel"]) })
export type Connect = typeof Connect.Type

export const connect = (policy: Connect): IrConnect => ({ _tag: "Connect", mode: policy.mode })
