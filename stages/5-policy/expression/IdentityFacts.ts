/** What expressions see of who has proved to be somebody, by a token or by a key. */
import * as Redacted from "effect/Redacted"
import { type CelValue, type Key, MapView } from "../../../ir/cel/CelValue.ts"
import { RedactedText } from "../../../ir/cel/views.ts"
import { isObject, type JsonObject } from "../../../protocols/json/object.ts"
import type { Claims, KeyHolder } from "../../Identity.ts"

export class JwtFacts extends MapView {
  private readonly claims: Claims
  private readonly token: Redacted.Redacted | undefined

  constructor(claims: Claims, token: Redacted.Redacted | undefined) {
    super()
    this.claims = claims
    this.token = token
  }
  get(key: Key): CelValue | undefined {
    if (key === "rawToken") return this.token === undefined ? undefined : new RedactedText(Redacted.value(this.token))
    return typeof key === "string" && Object.hasOwn(this.claims, key) ? (this.claims[key] as CelValue) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    const names = Object.keys(this.claims)
    return this.token === undefined ? names : [...names.filter((name) => name !== "rawToken"), "rawToken"]
  }
}

export class KeyFacts extends MapView {
  private readonly holder: KeyHolder

  constructor(holder: KeyHolder) {
    super()
    this.holder = holder
  }
  private get fields(): JsonObject {
    const { metadata } = this.holder
    return isObject(metadata) ? metadata : {}
  }
  get(key: Key): CelValue | undefined {
    if (key === "key") return new RedactedText(Redacted.value(this.holder.key))
    const { fields } = this
    return typeof key === "string" && Object.hasOwn(fields, key) ? (fields[key] as CelValue) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    return ["key", ...Object.keys(this.fields).filter((name) => name !== "key")]
  }
}
