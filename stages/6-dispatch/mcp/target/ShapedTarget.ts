/** A target whose tools are shown otherwise than it lists them. It never learns of it, and everything else passes by. */
import * as Effect from "effect/Effect"
import { isError } from "../../../../ir/cel/CelValue.ts"
import { toJsonText } from "../../../../ir/cel/toJson.ts"
import type { ArgumentShape, ToolShape, ToolShaping } from "../../../../ir/backend/Mcp.ts"
import { arrayOf, Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { type SetArgument, settle, shapeTool, ToolNames } from "../../../../protocols/mcp/shaping.ts"
import type { Expression, Expressions } from "../../../5-policy/expression/Expressions.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { Call, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { withResult } from "./withResult.ts"

interface Argument {
  readonly name: string
  readonly isDefault: boolean
  /** Absent where it is computed. */
  readonly value: Json | undefined
  readonly expression: Expression | undefined
}

export const isShaped = ({ exclude, include, shapes }: ToolShaping): boolean =>
  include.length > 0 || exclude.length > 0 || shapes.length > 0

const compiled = (one: ArgumentShape, expressions: Expressions): Argument => ({
  name: one.name,
  isDefault: one._tag === "Default",
  value: one._tag === "Computed" ? undefined : JSON.stringify(one.value),
  expression: one._tag === "Computed" ? expressions.compile(one.expression, "backend", "mcpArgument") : undefined,
})

const unknown = (name: string): Outcome => ({
  _tag: "Error",
  error: errorOf(codes.invalidParams, `Unknown tool: ${name}`),
  era: "modern",
})

export const shaped = (target: McpTarget, shaping: ToolShaping, expressions: Expressions): McpTarget => {
  const names = new ToolNames(shaping)
  const shapes = new Map<string, { readonly shape: ToolShape; readonly args: ReadonlyArray<Argument> }>(
    shaping.shapes.map((shape) => [
      shape.tool,
      { shape, args: shape.arguments.map((one) => compiled(one, expressions)) },
    ]),
  )

  const listed = (outcome: Outcome): Outcome => {
    const fields = outcome._tag === "Result" ? Fields.parse(outcome.result) : undefined
    const tools = itemsOf(fields?.get("tools"))
    if (fields === undefined || tools === undefined || outcome._tag === "Error") return outcome
    const shown = tools.flatMap((text): ReadonlyArray<Json> => {
      const tool = Fields.parse(text)
      const name = tool?.string("name")
      if (tool === undefined || name === undefined || names.shown(name) === undefined) return []
      const found = shapes.get(name)
      return [
        found === undefined
          ? text
          : shapeTool(tool, found.shape, found.args satisfies ReadonlyArray<SetArgument>).toJson(),
      ]
    })
    return withResult(outcome, fields.with("tools", arrayOf(shown)).toJson())
  }

  const call = (request: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { params } = request
    const name = params?.string("name") ?? ""
    const tool = names.native(name)
    if (tool === undefined || params === undefined) return Effect.succeed(unknown(name))
    const args = shapes.get(tool)?.args ?? []
    let given = params.object("arguments")
    const { exchange } = request.caller
    for (const { expression, isDefault, name: argument, value } of args) {
      let text = value
      if (expression !== undefined) {
        const facts = Facts.of(expressions.around, { request: exchange.request, exchange })
        const computed = expression.evaluate(facts)
        // A call that would go out with less than it was meant to be bound to does not go out.
        if (isError(computed)) return Effect.succeed(undetermined(argument))
        text = toJsonText(computed)
      }
      if (text !== undefined) given = settle(given, argument, text, isDefault)
    }
    const changed = params.with("name", JSON.stringify(tool))
    return target.call({
      ...request,
      params: given === undefined ? changed : changed.with("arguments", given.toJson()),
    })
  }

  return {
    name: target.name,
    discover: target.discover,
    call: (request) => {
      switch (request.method) {
        case "tools/list":
          return Effect.map(target.call(request), listed)
        case "tools/call":
          return call(request)
        default:
          return target.call(request)
      }
    },
    notify: target.notify,
    listen: target.listen,
    held: target.held,
    restore: target.restore,
    release: target.release,
    close: target.close,
  }
}

const undetermined = (argument: string): Outcome => ({
  _tag: "Result",
  result: JSON.stringify({
    resultType: "complete",
    content: [{ type: "text", text: `The gateway could not determine the argument ${argument} for you.` }],
    isError: true,
  }),
  era: "modern",
})
