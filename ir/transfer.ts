/**
 * Data on its way to another thread of this process. Secrets do not survive a structured clone, on purpose; here they
 * are opened on one side and closed again on the other, and never written anywhere in between.
 */
import * as Redacted from "effect/Redacted"
import { owned } from "./Table.ts"

const mark = "\u0000secret"

interface Opened {
  readonly [mark]: string
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Copies only what leads to a secret; everything else is passed on as it is. */
const map = (value: unknown, leaf: (value: object) => unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  const replaced = leaf(value)
  if (replaced !== value) return replaced
  if (Array.isArray(value)) {
    let copy: Array<unknown> | undefined
    for (let i = 0; i < value.length; i++) {
      const one = map(value[i], leaf)
      if (one !== value[i]) (copy ??= value.slice())[i] = one
    }
    return copy ?? value
  }
  if (value instanceof Map) {
    let copy: Map<unknown, unknown> | undefined
    for (const [key, one] of value) {
      const changed = map(one, leaf)
      if (changed !== one) (copy ??= new Map(value)).set(key, changed)
    }
    return copy ?? owned(value)
  }
  if (!isPlain(value)) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, one] of Object.entries(value)) {
    const changed = map(one, leaf)
    if (changed !== one) (copy ??= { ...value })[key] = changed
  }
  return copy ?? value
}

/** Ready to be posted to a thread. */
export const seal = <A>(value: A): A =>
  map(value, (one) =>
    Redacted.isRedacted(one) ? ({ [mark]: Redacted.value(one) as string } satisfies Opened) : one,
  ) as A

/** What `seal` made of it, made whole again. */
export const unseal = <A>(value: A): A =>
  map(value, (one) => (mark in one ? Redacted.make((one as Opened)[mark]) : one)) as A
