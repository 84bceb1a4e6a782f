/** `mcpGuardrails`: services and expressions that look at messages of MCP. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { McpGuardrails as IrMcpGuardrails, McpProcessor } from "../../../../ir/policy/McpGuardrails.ts"
import { isOfUse } from "../../../../protocols/mcp/phase.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, CelMap, expressions, failureMode, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"
import { headerNames } from "./headers.ts"

const mcpGuardrailsShape = Schema.Struct({
  processors: Schema.Array(
    Schema.Struct({
      kind: opt(
        anyCase(["remote", "expression"], { cel: "expression" }),
        "A service that is asked, or expressions that judge by themselves.",
      ),
      ...calleeFields,
      methods: Schema.Record(Schema.String, anyCase(["off", "request", "response", "full"])),
      failureMode: opt(failureMode),
      when: opt(Cel, "Which messages are meant; all of them unless set."),
      reject: opt(Schema.NonEmptyString, "They are rejected, with these words."),
      transform: opt(Cel, "What takes the place of the parameters or the result: a map."),
      metadata: opt(CelMap),
      requestHeaders: opt(Schema.Struct({ allowed: opt(Texts), disallowed: opt(Texts) })),
    }),
  ),
}).annotate({ identifier: "McpGuardrails" })
export interface McpGuardrailsSchema extends Named<typeof mcpGuardrailsShape> {}
export const McpGuardrails: McpGuardrailsSchema = mcpGuardrailsShape
export type McpGuardrails = typeof McpGuardrails.Type

const expressionProcessor = (
  one: McpGuardrails["processors"][number],
  path: Path,
  to: Mapping,
): ReadonlyArray<McpProcessor> => {
  const { failureMode, methods, reject, transform, when } = one
  for (const field of ["host", "backend", "service", "policies", "metadata", "requestHeaders"] as const) {
    if (one[field] !== undefined)
      to.fail([...path, field], `\`${field}\` is for services only: expressions ask nobody`, "Remove it.")
  }
  if ((reject === undefined) === (transform === undefined))
    to.fail(path, "exactly one of `reject` and `transform` must be set")
  if (transform !== undefined && Object.values(methods).includes("full"))
    to.warn([...path, "methods"], "one `transform` gives both the parameters and the result", "Write two processors.")
  const mode = failureMode ?? defaults.failureMode
  return [{ _tag: "Expressions", methods, failureMode: mode, ...present({ when, reject, transform }) }]
}

export const mcpGuardrails = (policy: McpGuardrails, path: Path, to: Mapping): IrMcpGuardrails => ({
  _tag: "McpGuardrails",
  processors: policy.processors.flatMap((one, i): ReadonlyArray<McpProcessor> => {
    const at = [...path, "processors", i]
    for (const pattern of Object.keys(one.methods)) {
      if (!isOfUse(pattern)) to.warn([...at, "methods", pattern], `no method that guardrails see is called ${pattern}`)
    }
    if (one.kind === "expression") return expressionProcessor(one, at, to)
    for (const field of ["when", "reject", "transform"] as const) {
      if (one[field] !== undefined)
        to.fail([...at, field], `\`${field}\` is for expressions only`, "Write `kind: expression`.")
    }
    const called = callee(one, at, to)
    const { allowed, disallowed } = one.requestHeaders ?? {}
    return called === undefined
      ? []
      : [
          {
            _tag: "Remote",
            methods: one.methods,
            callee: called,
            failureMode: one.failureMode ?? defaults.failureMode,
            metadata: expressions(one.metadata),
            requestHeaders: {
              allowed: headerNames(allowed, [...at, "requestHeaders", "allowed"], to),
              disallowed: headerNames(disallowed, [...at, "requestHeaders", "disallowed"], to),
            },
          },
        ]
  }),
})
