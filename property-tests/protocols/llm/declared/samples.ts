/** Values of a declared type: a smallest one, and from it one for everything that may be said besides. */
import type { Declarations, Field, Type } from "./declarations.ts"

export interface Sample {
  readonly value: unknown
  /** Where it says more than the smallest. */
  readonly path: string
  /** What stands there, if it can be told from everything else. */
  readonly mark: string | undefined
}

const DEPTH_MAX = 9

export class Samples {
  private readonly declared: Declarations
  private readonly fixed: Readonly<Record<string, unknown>>
  private readonly root: Readonly<Record<string, unknown>>
  private marks = 0

  /** Some fields have a form of which the declarations say nothing; and some that may be left out are always there. */
  constructor(
    declared: Declarations,
    fixed: Readonly<Record<string, unknown>>,
    root: Readonly<Record<string, unknown>>,
  ) {
    this.declared = declared
    this.fixed = fixed
    this.root = root
  }

  private resolved(type: Type): Type {
    return type.kind === "name" ? (this.declared.find(type.name, type.within) ?? { kind: "any" }) : type
  }

  fieldsOf(type: Type): ReadonlyArray<Field> {
    const found = this.resolved(type)
    if (found.kind === "all") return found.of.flatMap((one) => this.fieldsOf(one))
    if (found.kind !== "object") return []
    const own = found.fields.filter((field) => !this.isNever(field))
    const names = new Set(found.fields.map(({ name }) => name))
    return [...found.above.flatMap((one) => this.fieldsOf(one)).filter(({ name }) => !names.has(name)), ...own]
  }

  private isNever({ name, type }: Field): boolean {
    return name === "$unknown" || this.resolved(type).kind === "never"
  }

  /** The smallest comes first. */
  *of(type: Type, path: string, name: string, above: ReadonlyArray<string> = []): Generator<Sample> {
    if (Object.hasOwn(this.fixed, name)) return yield { value: this.fixed[name], path, mark: undefined }
    if (above.length > DEPTH_MAX) return yield { value: {}, path, mark: undefined }
    if (type.kind === "name") {
      const again = `${type.within} ${type.name}`
      if (above.includes(again)) return
      return yield* this.of(this.resolved(type), path, name, [...above, again])
    }
    switch (type.kind) {
      case "literal":
        return yield { value: type.value, path: `${path}=${String(type.value)}`, mark: undefined }
      case "text": {
        const mark = `mark${++this.marks}x`
        return yield { value: mark, path, mark }
      }
      case "number": {
        const mark = 7_000_000 + ++this.marks
        return yield { value: mark, path, mark: `${mark}` }
      }
      case "flag":
        return yield { value: true, path, mark: undefined }
      case "any": {
        const mark = `mark${++this.marks}x`
        return yield { value: { any: mark }, path, mark }
      }
      case "never":
      case "nothing":
        return
      case "list":
        for (const { mark, path: at, value } of this.of(type.of, `${path}[]`, name, above))
          yield { value: [value], path: at, mark }
        return
      case "one":
        for (const one of type.of)
          if (!(one.kind === "literal" && one.value === null)) yield* this.of(one, path, name, above)
        return
      default:
        return yield* this.objects(type, path, above)
    }
  }

  private *objects(type: Type, path: string, above: ReadonlyArray<string>): Generator<Sample> {
    const smallest: Record<string, unknown> = path === "" ? { ...this.root } : {}
    const fields = this.fieldsOf(type)
    const tag = (): string => {
      const said = smallest["type"] ?? smallest["role"]
      return typeof said === "string" ? `${path}(${said})` : path
    }
    for (const field of fields) {
      if (field.optional || Object.hasOwn(smallest, field.name)) continue
      const first = this.of(field.type, path, field.name, above).next()
      if (first.done !== true) smallest[field.name] = first.value.value
    }
    yield { value: smallest, path: tag(), mark: undefined }
    for (const field of fields) {
      for (const one of this.of(field.type, `${tag()}.${field.name}`, field.name, above)) {
        yield { value: { ...smallest, [field.name]: one.value }, path: one.path, mark: one.mark }
      }
    }
  }
}
