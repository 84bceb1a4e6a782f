/** `apiKey`: keys that were given out. */
import { hash } from "node:crypto"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { bearer } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { ApiKey as IrApiKey, ApiKeyValue, IssuedKey } from "../../../../ir/policy/ApiKey.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileOrInline, secret } from "../FileOrInline.ts"
import { exactlyOne, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { AuthenticationMode, authenticationMode } from "./authenticationMode.ts"
import { Budgets, budgets } from "./Budget.ts"
import { Location, location } from "./CredentialLocation.ts"

const sha256 = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-fA-F]{64}$/, { message: "expected `sha256:` and 64 hexadecimal digits" }),
)

const apiKeyShape = Schema.Struct({
  keys: Schema.Array(
    exactlyOne(
      Schema.Struct({
        key: opt(FileOrInline),
        keyHash: opt(sha256),
        metadata: opt(Schema.Json),
        allowedModels: opt(Texts),
        allowedTools: opt(Texts, "Tools of MCP servers: `tool` or `target/tool`, with `*` for any part."),
        budgets: opt(Budgets),
        expiresAt: opt(Schema.String),
      }),
      ["key", "keyHash"],
    ),
  ),
  virtual: opt(Schema.Boolean, "Whether keys that the gateway gave out itself are good here too."),
  mode: opt(AuthenticationMode),
  location: opt(Location),
}).annotate({ identifier: "ApiKey" })
export interface ApiKeySchema extends Named<typeof apiKeyShape> {}
export const ApiKey: ApiKeySchema = apiKeyShape
export type ApiKey = typeof ApiKey.Type

const modelPatterns = (patterns: ReadonlyArray<string>, path: Path, to: Mapping): ReadonlyArray<string> => {
  for (const [i, one] of patterns.entries()) {
    if (one === "") to.fail([...path, i], "a model name is not empty")
    else if (!/^(?:\*|\*?[^*]+|[^*]+\*)$/.test(one)) {
      to.fail([...path, i], "more than one wildcard, or one that is not at an end")
    } else if (one === "*" && patterns.length > 1) to.fail(path, "cannot combine '*' with other values")
  }
  return patterns
}

const toolPatterns = (patterns: ReadonlyArray<string>, path: Path, to: Mapping): ReadonlyArray<string> => {
  for (const [i, one] of patterns.entries()) if (one === "") to.fail([...path, i], "the name of a tool is not empty")
  return patterns
}

const instant = /^\d{4}-\d\d-\d\d(?:[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d))?$/

const expiry = (text: string, path: Path, to: Mapping): number | undefined => {
  const millis = instant.test(text) ? Date.parse(text.toUpperCase()) : NaN
  if (Number.isNaN(millis)) return to.fail(path, "expected a date, or a date and time with its zone (RFC 3339)")
  if (millis <= Date.now()) to.warn(path, "the key has expired already")
  return millis
}

export const apiKey = (policy: ApiKey, path: Path, to: Mapping): IrApiKey => {
  const places = new Map<string, number>()
  return {
    _tag: "ApiKey",
    keys: policy.keys.flatMap((one, i): ReadonlyArray<IssuedKey> => {
      const at = [...path, "keys", i]
      const value = issuedValue(one, at, to)
      if (value === undefined) return []
      const hashed = value._tag === "Hashed" ? value.sha256 : hash("sha256", Redacted.value(value.key))
      const first = places.get(hashed)
      if (first === undefined) places.set(hashed, i)
      else to.fail(at, `the same key as number ${first + 1}`, "Give every holder a key of their own.")
      return [
        {
          value,
          ...present({
            metadata: one.metadata,
            allowedModels:
              one.allowedModels === undefined
                ? undefined
                : modelPatterns(one.allowedModels, [...at, "allowedModels"], to),
            allowedTools:
              one.allowedTools === undefined ? undefined : toolPatterns(one.allowedTools, [...at, "allowedTools"], to),
            budgets: one.budgets === undefined ? undefined : budgets(one.budgets, [...at, "budgets"], to),
            expiresMillis: one.expiresAt === undefined ? undefined : expiry(one.expiresAt, [...at, "expiresAt"], to),
          }),
        },
      ]
    }),
    ...present({ virtual: policy.virtual }),
    mode: authenticationMode(policy.mode, path, to),
    location: policy.location === undefined ? bearer : location(policy.location, [...path, "location"], to),
  }
}

const issuedValue = (one: ApiKey["keys"][number], path: Path, to: Mapping): ApiKeyValue | undefined => {
  if (one.keyHash !== undefined) {
    return { _tag: "Hashed", sha256: one.keyHash.slice("sha256:".length).toLowerCase() }
  }
  const key = one.key === undefined ? undefined : secret(one.key, [...path, "key"], to)
  return key === undefined ? undefined : { _tag: "Plain", key }
}
