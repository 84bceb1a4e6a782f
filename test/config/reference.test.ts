import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { referencePath } from "../../src/config/local/published.ts"
import { read } from "../../src/config/local/read.ts"
import { reference, referenceText } from "../../src/config/local/reference.ts"

type Json = Record<string, unknown>

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** As much of JSON Schema as the published document uses. */
const fits = (schema: unknown, value: unknown, root: Json): boolean => {
  if (!isMap(schema)) return true
  const ref = schema["$ref"]
  const definitions = root["$defs"]
  if (typeof ref === "string" && isMap(definitions)) return fits(definitions[ref.slice("#/$defs/".length)], value, root)
  const {
    additionalProperties,
    allOf,
    anyOf,
    enum: words,
    items,
    maximum,
    minimum,
    minItems,
    minLength,
    pattern,
    properties,
    required,
    type,
  } = schema
  if (Object.hasOwn(schema, "const") && schema["const"] !== value) return false
  if (Array.isArray(words) && !words.includes(value)) return false
  if (Array.isArray(anyOf) && !anyOf.some((one) => fits(one, value, root))) return false
  if (Array.isArray(allOf) && !allOf.every((one) => fits(one, value, root))) return false
  if (typeof pattern === "string" && typeof value === "string" && !new RegExp(pattern, "u").test(value)) return false
  if (typeof minLength === "number" && typeof value === "string" && value.length < minLength) return false
  if (typeof minimum === "number" && typeof value === "number" && value < minimum) return false
  if (typeof maximum === "number" && typeof value === "number" && value > maximum) return false
  switch (type) {
    case "object":
      return (
        isMap(value) &&
        (!Array.isArray(required) || required.every((key) => Object.hasOwn(value, String(key)))) &&
        Object.entries(value).every(([key, one]) =>
          isMap(properties) && Object.hasOwn(properties, key)
            ? fits(properties[key], one, root)
            : additionalProperties !== false && fits(additionalProperties, one, root),
        )
      )
    case "array":
      return (
        Array.isArray(value) && value.length >= Number(minItems ?? 0) && value.every((one) => fits(items, one, root))
      )
    case "integer":
      return Number.isInteger(value)
    case "null":
      return value === null
    case undefined:
      return true
    default:
      return typeof value === type
  }
}

const root = reference()
const golden = "test/golden/local"

describe("the published JSON Schema", () => {
  it("is current; `node src/config/local/writeReference.ts` makes it so", () => {
    expect(readFileSync(referencePath, "utf8") === referenceText()).toBe(true)
  })
  it.each(readdirSync(golden).filter((name) => name.endsWith(".yaml")))("accepts %s", (name) => {
    expect(fits(root, read(readFileSync(`${golden}/${name}`, "utf8"), { PORT: "1", BACKEND: "a:1" }).value, root)).toBe(
      true,
    )
  })
  it.each([
    ["an unknown key", { gatewys: {} }],
    ["a missing port", { gateways: { a: {} } }],
    ["a port out of range", { gateways: { a: { port: 70_000 } } }],
    ["an unknown protocol", { gateways: { a: { port: 1, protocol: "SPDY" } } }],
    ["a duration without a unit", { routes: [{ policies: { timeout: { requestTimeout: "10" } } }] }],
    ["a nested unknown key", { routes: [{ policies: { cors: { allowOrigin: [] } } }] }],
  ])("refuses %s", (_name, value) => {
    expect(fits(root, value, root)).toBe(false)
  })
  it("describes what it names", () => {
    const { gateways } = root["properties"] as Record<string, Json>
    expect(gateways?.["description"]).toBe("Entry points by name.")
    expect((root["$defs"] as Record<string, Json>)["Gateway"]?.["description"]).toBe("A port and what is served there.")
  })
})
