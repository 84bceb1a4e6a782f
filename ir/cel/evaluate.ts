/** What compiled expressions do when they run: frames, operators with their error rules, calls, loops. */
import {
  CelError,
  type CelValue,
  equal,
  type Evaluated,
  isError,
  isList,
  isMap,
  type Key,
  keyOf,
  kindOf,
  mapGet,
  mapKeys,
  MapValue,
  none,
  Optional,
} from "./CelValue.ts"
import type { Expr } from "./Expr.ts"
import type { CelFunction } from "./functions.ts"
import type { Implementation } from "./functions/define.ts"
import { EVALUATION_STEPS_MAX, tooManySteps } from "./limits.ts"
import { contains } from "./operators.ts"

/** Gives the value of a variable when it is first asked for; undefined when there is none. */
export interface Activation {
  readonly get: (name: string) => CelValue | undefined
}

export class Frame {
  readonly activation: Activation
  readonly locals: Array<CelValue>
  steps: number
  constructor(activation: Activation, slots: number) {
    this.activation = activation
    this.locals = slots === 0 ? noLocals : []
    this.steps = EVALUATION_STEPS_MAX
  }
}

const noLocals: Array<CelValue> = []
export const noActivation: Activation = { get: () => undefined }

export type Run = (frame: Frame) => Evaluated
export interface Code {
  readonly run: Run
  /** The result, when it depends on nothing. */
  readonly constant: Evaluated | undefined
}

export const constantCode = (value: Evaluated): Code => ({ run: () => value, constant: value })
export const dynamicCode = (run: Run): Code => ({ run, constant: undefined })

export const noBool = (value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: bool needed, not ${kindOf(value)}`)

/** Reading long values takes steps too, or a loop of cheap-looking calls could hold the process for long. */
const charge = (frame: Frame, value: CelValue, work: number): void => {
  if (typeof value === "string" || isList(value) || value instanceof Uint8Array) {
    if (value.length > 255) frame.steps -= (value.length >>> 8) * work
  }
}

interface Loop {
  readonly target: Run
  readonly first: number
  readonly second: number | undefined
  readonly filter: Run | undefined
  readonly body: Run
}

export const notOptional = (value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: optional value needed, not ${kindOf(value)}`)

export const both =
  (left: Run, right: Run, apply: (a: CelValue, b: CelValue) => Evaluated): Run =>
  (frame) => {
    const a = left(frame)
    if (isError(a)) return a
    const b = right(frame)
    if (isError(b)) return b
    charge(frame, a, 1)
    charge(frame, b, 1)
    return frame.steps < 0 ? tooManySteps : apply(a, b)
  }

export const equality = (left: Code, right: Code, sameIs: boolean): Run => {
  const literal =
    typeof right.constant === "string" ? right.constant : typeof left.constant === "string" ? left.constant : undefined
  if (literal !== undefined) {
    const other = typeof right.constant === "string" ? left.run : right.run
    return (frame) => {
      const value = other(frame)
      if (typeof value === "string") return (value === literal) === sameIs
      return isError(value) ? value : equal(value, literal) === sameIs
    }
  }
  return both2(left.run, right.run, (a, b, frame) => equal(a, b, frame) === sameIs)
}

const both2 =
  (left: Run, right: Run, apply: (a: CelValue, b: CelValue, frame: Frame) => Evaluated): Run =>
  (frame) => {
    const a = left(frame)
    if (isError(a)) return a
    const b = right(frame)
    if (isError(b)) return b
    const result = apply(a, b, frame)
    return frame.steps < 0 ? tooManySteps : result
  }

export const membership = (left: Code, right: Code): Run => {
  const items = right.constant
  if (
    items !== undefined &&
    !isError(items) &&
    isList(items) &&
    items.length > 0 &&
    items.every((one) => typeof one === "string")
  ) {
    const known = new Set<CelValue>(items)
    const { run } = left
    return (frame) => {
      const value = run(frame)
      if (typeof value === "string") return known.has(value)
      return isError(value) ? value : contains(items, value, frame)
    }
  }
  return both2(left.run, right.run, (a, b, frame) => {
    charge(frame, b, typeof b === "string" ? 1 : 0)
    return contains(b, a, frame)
  })
}

/** Two operands of one chain: an error does not matter when the other one decides. */
export const either =
  (left: Run, right: Run, decisive: boolean): Run =>
  (frame) => {
    const a = left(frame)
    if (a === decisive) return decisive
    const b = right(frame)
    if (b === decisive) return decisive
    if (typeof a === "boolean" && typeof b === "boolean") return !decisive
    return typeof a !== "boolean" ? (isError(a) ? a : noBool(a)) : isError(b) ? b : noBool(b as CelValue)
  }

export const any =
  (runs: ReadonlyArray<Run>, decisive: boolean): Run =>
  (frame) => {
    let problem: CelError | undefined
    for (const run of runs) {
      const value = run(frame)
      if (value === decisive) return decisive
      if (typeof value !== "boolean" && problem === undefined) problem = isError(value) ? value : noBool(value)
    }
    return problem ?? !decisive
  }

type Call = (...args: ReadonlyArray<CelValue>) => Evaluated

export const called = (known: CelFunction, implementation: Implementation, parts: ReadonlyArray<Code>): Run => {
  const { work, variadic } = known
  // Implementations take as many arguments as their signature was matched for; the rest stay undefined.
  const call = implementation as Call
  const [a, b] = parts
  if (variadic === undefined && parts.length === 1 && a !== undefined) return one(a.run, call, work)
  if (variadic === undefined && parts.length === 2 && a !== undefined && b !== undefined)
    return two(a.run, b.run, call, work)
  return (frame) => {
    const values: Array<CelValue> = []
    for (const part of parts) {
      const value = part.run(frame)
      if (isError(value)) return value
      charge(frame, value, work)
      values.push(value)
    }
    if (frame.steps < 0) return tooManySteps
    return charged(frame, variadic === undefined ? call(...values) : variadic(values))
  }
}

const charged = (frame: Frame, result: Evaluated): Evaluated => {
  if (typeof result === "object" && isError(result)) return result
  charge(frame, result, 1)
  return result
}

const one =
  (a: Run, call: Call, work: number): Run =>
  (frame) => {
    const value = a(frame)
    if (isError(value)) return value
    charge(frame, value, work)
    return frame.steps < 0 ? tooManySteps : charged(frame, call(value))
  }

const two =
  (a: Run, b: Run, call: Call, work: number): Run =>
  (frame) => {
    const value = a(frame)
    if (isError(value)) return value
    const other = b(frame)
    if (isError(other)) return other
    charge(frame, value, work)
    charge(frame, other, work)
    return frame.steps < 0 ? tooManySteps : charged(frame, call(value, other))
  }

export class MapBuilder {
  readonly #values = new Map<Key, CelValue>()
  #originals: Map<Key, CelValue> | undefined

  set(key: CelValue, value: CelValue): CelError | undefined {
    const kind = kindOf(key)
    const name = kind === "double" ? undefined : keyOf(key)
    if (name === undefined) return new CelError("invalid", `unsupported key type: ${kind}`)
    if (this.#values.has(name)) return new CelError("invalid", `repeated key: ${String(name).slice(0, 64)}`)
    this.#values.set(name, value)
    if (kind === "uint") (this.#originals ??= new Map()).set(name, key)
    return undefined
  }

  map(): MapValue {
    return new MapValue(this.#values, this.#originals)
  }
}

/** Elements with their indexes, or keys with their values. */
const pairs = (
  value: CelValue,
): { readonly keys: ReadonlyArray<CelValue>; readonly valueAt: (i: number) => CelValue } | undefined => {
  if (isList(value)) return { keys: value, valueAt: (i) => value[i] as CelValue }
  if (!isMap(value)) return undefined
  const keys = mapKeys(value)
  return { keys, valueAt: (i) => mapGet(value, keyOf(keys[i] as CelValue) ?? "") ?? null }
}

const noRange = (name: string, value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: ${name} over ${kindOf(value)}`)

/** Runs `round` for each element until it answers; what it binds is what the macro's variables see. */
const loop =
  (name: string, parts: Loop, round: (result: Evaluated, key: CelValue) => Evaluated | undefined) =>
  (frame: Frame, over: CelValue): Evaluated | undefined => {
    const { first, second, filter, body } = parts
    const items = pairs(over)
    if (items === undefined) return noRange(name, over)
    const listed = isList(over)
    const byValue = name === "mapValues"
    for (let i = 0; i < items.keys.length; i++) {
      if (--frame.steps < 0) return tooManySteps
      const key = second !== undefined && listed ? i : (items.keys[i] as CelValue)
      frame.locals[first] = byValue ? items.valueAt(i) : key
      if (second !== undefined) frame.locals[second] = items.valueAt(i)
      if (filter !== undefined) {
        const kept = filter(frame)
        if (typeof kept !== "boolean") return isError(kept) ? kept : noBool(kept)
        if (!kept) continue
      }
      const answer = round(body(frame), key)
      if (answer !== undefined) return answer
    }
    return undefined
  }

export const macroRun = (name: Extract<Expr, { kind: "macro" }>["name"], parts: Loop): Run => {
  const { target } = parts
  const over =
    (apply: (frame: Frame, value: CelValue) => Evaluated): Run =>
    (frame) => {
      const value = target(frame)
      return isError(value) ? value : apply(frame, value)
    }
  switch (name) {
    case "with":
      return over((frame, value) => {
        frame.locals[parts.first] = value
        return parts.body(frame)
      })
    case "optMap":
    case "optFlatMap":
      return over((frame, value) => {
        if (!(value instanceof Optional)) return notOptional(value)
        if (value.value === undefined) return none
        frame.locals[parts.first] = value.value
        const result = parts.body(frame)
        if (isError(result)) return result
        if (name === "optMap") return new Optional(result)
        return result instanceof Optional ? result : notOptional(result)
      })
    case "all":
      return over(quantified(parts, false, name))
    case "exists":
      return over(quantified(parts, true, name))
    case "existsOne":
      return over((frame, value) => {
        let count = 0
        const stopped = loop(name, parts, (result) => {
          if (typeof result !== "boolean") return isError(result) ? result : noBool(result)
          if (result) count++
          return undefined
        })(frame, value)
        return stopped ?? count === 1
      })
    case "map":
    case "transformList":
      return over((frame, value) => {
        const made: Array<CelValue> = []
        const stopped = loop(name, parts, (result) => {
          if (isError(result)) return result
          made.push(result)
          return undefined
        })(frame, value)
        return stopped ?? made
      })
    case "filter":
      return over((frame, value) => {
        const made: Array<CelValue> = []
        const stopped = loop(name, parts, (result, key) => {
          if (typeof result !== "boolean") return isError(result) ? result : noBool(result)
          if (result) made.push(key)
          return undefined
        })(frame, value)
        return stopped ?? made
      })
    case "transformMap":
    case "mapValues":
    case "filterKeys":
      return over((frame, value) => {
        if (name !== "transformMap" && !isMap(value)) return noRange(name, value)
        const builder = new MapBuilder()
        const stopped = loop(name, parts, (result, key) => {
          if (isError(result)) return result
          if (name !== "filterKeys") return builder.set(key, result)
          if (typeof result !== "boolean") return noBool(result)
          return result && isMap(value) ? builder.set(key, mapGet(value, keyOf(key) ?? "") ?? null) : undefined
        })(frame, value)
        return stopped ?? builder.map()
      })
  }
}

/** all and exists: an error is forgotten when another element decides. */
const quantified =
  (parts: Loop, decisive: boolean, name: string) =>
  (frame: Frame, value: CelValue): Evaluated => {
    let problem: CelError | undefined
    const stopped = loop(name, parts, (result) => {
      if (result === decisive) return decisive
      if (typeof result !== "boolean" && problem === undefined) problem = isError(result) ? result : noBool(result)
      return undefined
    })(frame, value)
    return stopped ?? problem ?? !decisive
  }
