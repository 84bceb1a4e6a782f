import { describe, expect, it } from "vitest"
import * as Result from "effect/Result"
import { parseFunctions } from "../../../ir/cel/customFunctions.ts"
import { environment } from "../../../ir/cel/Environment.ts"
import type { Context } from "../../../ir/cel/variables.ts"
import { programIn } from "./evaluating.ts"

const needed = (source: string, context: Context = "log", functions?: string) => {
  const parsed = functions === undefined ? undefined : parseFunctions(functions)
  return [
    ...programIn(source, environment(context, parsed && Result.isSuccess(parsed) ? parsed.success : undefined)).needs,
  ].toSorted()
}

describe("what an expression needs", () => {
  it("is what it names", () => {
    expect(needed("request.path == '/'")).toEqual(["request"])
    expect(needed("jwt.sub == source.address")).toEqual(["jwt", "source"])
    expect(needed("1 + 1")).toEqual([])
  })
  it("says which costly parts are read", () => {
    expect(needed("json(request.body).model")).toEqual(["request", "requestBody"])
    expect(needed("size(response.bodyPrefix)")).toEqual(["response", "responseBodyPrefix"])
    expect(needed("llm.prompt[0].content")).toEqual(["llm", "llmPrompt"])
    expect(needed("llm.inputTokens")).toEqual(["llm"])
    expect(needed("mcp.tool.arguments.path")).toEqual(["mcp", "mcpArguments"])
    expect(needed('request["body"]')).toEqual(["request", "requestBody"])
    expect(needed("has(request.body)")).toEqual(["request", "requestBody"])
  })
  it("is everything under a variable that is used whole or by a computed name", () => {
    expect(needed("toJson(request)")).toEqual(["request", "requestBody", "requestBodyPrefix"])
    expect(needed("request[jwt.field]")).toEqual(["jwt", "request", "requestBody", "requestBodyPrefix"])
    expect(needed("toJson(mcp.tool)")).toEqual(["mcp", "mcpArguments", "mcpError", "mcpResult"])
    expect(needed("request.with(r, r.path)")).toEqual(["request", "requestBody", "requestBodyPrefix"])
  })
  it("is everything for variables()", () =>
    expect(needed("variables()", "networkAuthorization")).toEqual([
      "env",
      "source",
      "sourceCertificate",
      "sourceWorkload",
    ]))
  it("does not include what a macro's variable hides", () =>
    expect(needed("[1].map(request, request + 1)")).toEqual([]))
  it("includes what custom functions read", () =>
    expect(needed("model() == 'm'", "route", "model() { json(request.body).model }")).toEqual([
      "request",
      "requestBody",
    ]))
})
