/** What logs, metrics and rules see of a call. */
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import type { Call } from "../target/McpTarget.ts"
import type { Member } from "./Member.ts"
import { kindOf } from "./Names.ts"

export const note = ({ caller, method, params }: Call, member: Member): void => {
  const mcp = caller.exchange.notes?.mcp
  if (mcp === undefined) return
  mcp["target"] = member.name
  const kind = kindOf[method]
  const name = params?.string(kind === "resource" ? "uri" : "name")
  if (kind === undefined || name === undefined) return
  mcp[kind] =
    kind === "tool" || kind === "prompt"
      ? used(member.name, name, params?.get("arguments"))
      : { target: member.name, name }
}

/** Arguments are only read where somebody wants to see them. */
const used = (target: string, name: string, args: Json | undefined): Readonly<Record<string, CelValue>> => ({
  target,
  name,
  get arguments() {
    return args === undefined ? {} : (JSON.parse(args) as CelValue)
  },
})
