/** How much is logged: one level for all, and levels of single targets; it may change while the gateway runs. */
import * as Result from "effect/Result"
import type { Level } from "../config/Static.ts"

/** From the least said to the most. */
const ranks: { readonly [K in Level]: number } = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 }

export interface Setting {
  readonly level: Level
  readonly targets: ReadonlyArray<{ readonly target: string; readonly level: Level }>
}

/** A directive may leave out the level for all. */
export interface Directive extends Omit<Setting, "level"> {
  readonly level: Level | undefined
}

const levelOf = (text: string): Level | undefined => {
  const name = text.trim().toLowerCase()
  return name === "warning" ? "warn" : Object.hasOwn(ranks, name) ? (name as Level) : undefined
}

/** Reads `level` or `target=level`, several separated by commas; fails with the part that is neither. */
export const parse = (text: string): Result.Result<Directive, string> => {
  let main: Level | undefined
  const targets: Array<{ readonly target: string; readonly level: Level }> = []
  for (const part of text.split(",")) {
    if (part.trim() === "") continue
    const equals = part.indexOf("=")
    const target = part.slice(0, Math.max(0, equals)).trim()
    const level = levelOf(part.slice(equals + 1))
    if (level === undefined || (equals >= 0 && !/^[\w.:/-]{1,100}$/.test(target))) return Result.fail(part.trim())
    if (equals < 0) main = level
    else targets.push({ target, level })
  }
  return Result.succeed({ level: main, targets })
}

/** Targets with a level of their own, at most. */
export const targetsMax = 100

export class Levels {
  private readonly initial: Setting
  private level: Level
  private readonly targets = new Map<string, Level>()
  /** Whether exchanges get a line: asked for each of them, so it is an answer and not a question. */
  request = false
  /** Whether that line names the connection and the request by number. */
  requestDebug = false

  constructor(initial: Setting) {
    this.initial = initial
    this.level = initial.level
    this.reset()
  }

  enabled(target: string, level: Level): boolean {
    return level !== "off" && ranks[level] <= ranks[this.of(target)]
  }

  /** Adds to what is set; false when there would be more targets than allowed. */
  set({ level, targets }: Directive): boolean {
    const added = new Set(targets.map((one) => one.target).filter((name) => !this.targets.has(name)))
    if (this.targets.size + added.size > targetsMax) return false
    if (level !== undefined) this.level = level
    for (const one of targets) this.targets.set(one.target, one.level)
    this.settle()
    return true
  }

  reset(): void {
    this.replace(this.initial)
  }

  replace({ level, targets }: Setting): void {
    this.level = level
    this.targets.clear()
    for (const one of targets) this.targets.set(one.target, one.level)
    this.settle()
  }

  get setting(): Setting {
    return { level: this.level, targets: Array.from(this.targets, ([target, level]) => ({ target, level })) }
  }

  /** The directive that leads to what is set now. */
  describe(): string {
    return [this.level, ...Array.from(this.targets, ([target, level]) => `${target}=${level}`)].join(",")
  }

  /** The longest name that is the target's own or that of a part above it decides. */
  private of(target: string): Level {
    let found: Level = this.level
    let length = -1
    for (const [name, level] of this.targets) {
      if (name.length <= length || !target.startsWith(name)) continue
      if (target.length > name.length && !/[:./]/.test(target.charAt(name.length))) continue
      found = level
      length = name.length
    }
    return found
  }

  private settle(): void {
    this.request = this.enabled("request", "info")
    this.requestDebug = this.enabled("request", "debug")
  }
}
