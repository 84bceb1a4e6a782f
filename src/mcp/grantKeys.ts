/** The keys that grants are sealed with: those that are configured, else one of our own beside the file they are in. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import { mkdir, open, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Location } from "../store/Location.ts"

export interface GrantKeys {
  readonly seal: (text: string, context: string) => string
  /** Undefined: by none of these keys, or not in that context. */
  readonly open: (sealed: string, context: string) => { readonly text: string; readonly isCurrent: boolean } | undefined
}

const nonceBytes = 12
const tagBytes = 16

const nameOf = (key: Uint8Array): string => createHash("sha256").update(key).digest("hex").slice(0, 8)

/** The first seals, all open. */
export const keysOf = (keys: ReadonlyArray<Uint8Array>): GrantKeys => {
  const byName = new Map(keys.map((key) => [nameOf(key), key]))
  const [current] = keys
  if (current === undefined) throw new Error("there is no key")
  const currentName = nameOf(current)
  return {
    seal: (text, context) => {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv("aes-256-gcm", current, nonce)
      cipher.setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()])
      return `1.${currentName}.${sealed.toString("base64url")}`
    },
    open: (sealed, context) => {
      const [format, name = "", text = ""] = sealed.split(".")
      const key = byName.get(name)
      const bytes = Buffer.from(text, "base64url")
      if (format !== "1" || key === undefined || bytes.byteLength < nonceBytes + tagBytes) return undefined
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes))
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      try {
        const opened = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
        return { text: opened.toString("utf8"), isCurrent: name === currentName }
      } catch {
        return undefined
      }
    },
  }
}

const bytesOf = (hex: string): Uint8Array | undefined =>
  /^[0-9a-f]{64}$/.test(hex) ? Buffer.from(hex, "hex") : undefined

/** Workers may all come at once; one of them makes it, and the others wait until it is whole. */
const ownKey = async (path: string): Promise<Uint8Array> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    const file = await open(path, "wx", 0o600)
    try {
      await file.writeFile(`${randomBytes(32).toString("hex")}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (Reflect.get(Object(cause), "code") !== "EEXIST") throw cause
  }
  for (let i = 0; i < 50; i++) {
    const key = bytesOf((await readFile(path, "utf8")).trim())
    if (key !== undefined) return key
    await sleep(20)
  }
  throw new Error(`${path} holds no key`)
}

export interface GrantKeySettings {
  readonly location: Location
  readonly configured: ReadonlyArray<Redacted.Redacted>
}

export const needsKeys = "grants in a database that others may read need `config.mcp.grantKeys`"

export const grantKeys = ({ configured, location }: GrantKeySettings): Effect.Effect<GrantKeys, string> => {
  if (configured.length > 0) {
    return Effect.sync(() => keysOf(configured.map((one) => Buffer.from(Redacted.value(one), "hex"))))
  }
  switch (location._tag) {
    case "Memory":
      return Effect.sync(() => keysOf([randomBytes(32)]))
    case "Postgres":
      return Effect.fail(needsKeys)
    case "File":
      return Effect.tryPromise({
        try: async () => keysOf([await ownKey(`${location.path}.key`)]),
        catch: (cause) => `the key of grants cannot be had: ${cause instanceof Error ? cause.message : String(cause)}`,
      })
  }
}
