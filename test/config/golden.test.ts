/** Files beside the snapshots they stand for; `UPDATE_GOLDEN=1` writes those anew, for a person to read the difference. */
import * as Redacted from "effect/Redacted"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { validate } from "../../ir/validate.ts"
import { loadedOf } from "./memoryIo.ts"
import { certificate, key } from "./pem.ts"

const folder = "test/golden/local"
const files = { "cert.pem": certificate, "key.pem": key, "ca.pem": certificate }
const env = { BACKEND: "api.internal:8080", PORT: "8443" }

/** Certificates are named instead of printed, secrets are not printed at all. */
const plain = (_key: string, value: unknown): unknown => {
  if (value instanceof Map) return Object.fromEntries(value)
  if (Redacted.isRedacted(value)) return "<redacted>"
  return value === `${certificate.trim()}\n` ? "<certificate>" : value
}

describe("files stand for snapshots", () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith(".yaml")))("%s", async (name) => {
    const source = `${folder}/${name}`
    const { snapshot, warnings } = await loadedOf(readFileSync(source, "utf8"), { files, env })
    const text = `${JSON.stringify({ snapshot, warnings }, plain, 2)}\n`
    const target = source.replace(/\.yaml$/, ".snapshot.json")
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(target, text)
    expect(text).toBe(readFileSync(target, "utf8"))
    expect(validate(snapshot).filter((issue) => issue.severity === "error")).toEqual([])
  })
})
