/** Static types of expressions: written as text (`list<A>`, `map<string, int>`), printed, and matched with type variables. */
export type Type =
  | { readonly kind: "named"; readonly name: string; readonly arguments: ReadonlyArray<Type> }
  | RecordType
  | { readonly kind: "variable"; readonly id: number }

/** A map with known fields; `rest` is the type of any other field, absent when there are no others. */
export interface RecordType {
  readonly kind: "record"
  readonly name: string
  readonly fields: Readonly<Record<string, Type>>
  readonly rest?: Type
}

export const named = (name: string, ...args: ReadonlyArray<Type>): Type => ({ kind: "named", name, arguments: args })

export const dyn = named("dyn")
export const bool = named("bool")
export const int = named("int")
export const uint = named("uint")
export const double = named("double")
export const string = named("string")
export const bytes = named("bytes")
export const nullType = named("null_type")
export const timestamp = named("timestamp")
export const duration = named("duration")
export const list = (element: Type): Type => named("list", element)
export const map = (key: Type, value: Type): Type => named("map", key, value)
export const optional = (value: Type): Type => named("optional_type", value)
export const typeOf = (type: Type): Type => named("type", type)

export const isDyn = (type: Type): boolean => type.kind === "named" && type.name === "dyn"
export const isNamed = (type: Type, name: string): boolean => type.kind === "named" && type.name === name

export const argument = (type: Type, index: number): Type =>
  type.kind === "named" ? (type.arguments[index] ?? dyn) : dyn

export const print = (type: Type): string => {
  if (type.kind === "variable") return "dyn"
  if (type.kind === "record") return type.name
  return type.arguments.length === 0 ? type.name : `${type.name}<${type.arguments.map(print).join(", ")}>`
}

const numbers: ReadonlySet<string> = new Set(["int", "uint", "double"])
export const isNumber = (type: Type): boolean => type.kind === "named" && numbers.has(type.name)

/** Text with members of its own, which stands wherever a string may. */
const texts: ReadonlySet<string> = new Set(["query", "redacted"])
const mapOfDyn = map(string, dyn)

export interface Signature {
  readonly name: string
  readonly member: boolean
  /** The receiver first, when it is a member. */
  readonly parameters: ReadonlyArray<Type>
  readonly result: Type
  /** The last parameter may repeat. */
  readonly variadic: boolean
}

/** Reads `string.startsWith(string) -> bool`, `math.greatest(A...) -> A`, `list<A>.contains(A) -> bool`; a single capital is a variable. */
export const parseSignature = (text: string): Signature => {
  const match =
    /^(?:(?<receiver>[a-z][a-z0-9_]*(?:<.*?>)?|[A-Z])\.)?(?<name>[A-Za-z0-9_]+)\((?<parameters>.*)\) -> (?<result>.+)$/.exec(
      text,
    )
  const groups = match?.groups
  if (groups === undefined) throw new Error(`Not a signature: ${text}`)
  const { receiver, name = "", parameters = "", result = "" } = groups
  const namespaced = receiver !== undefined && namespaces.has(receiver)
  const listed = splitTopLevel(parameters)
  const variadic = listed.at(-1)?.endsWith("...") ?? false
  return {
    name: namespaced ? `${receiver}.${name}` : name,
    member: receiver !== undefined && !namespaced,
    parameters: [
      ...(receiver === undefined || namespaced ? [] : [parseType(receiver)]),
      ...listed.map((one) => parseType(one.replace(/\.\.\.$/, ""))),
    ],
    result: parseType(result),
    variadic,
  }
}

export const printSignature = (signature: Signature): string => {
  const parameters = signature.parameters.map(printParameter)
  const args = signature.member ? parameters.slice(1) : parameters
  const listed = `${args.join(", ")}${signature.variadic ? "…" : ""}`
  return `${signature.member ? `${parameters[0] ?? ""}.` : ""}${signature.name}(${listed})`
}

const printParameter = (type: Type): string =>
  type.kind === "variable"
    ? "any"
    : type.kind === "named"
      ? type.arguments.length === 0
        ? type.name
        : `${type.name}<${type.arguments.map(printParameter).join(", ")}>`
      : type.name

export const namespaces: ReadonlySet<string> = new Set([
  "math",
  "optional",
  "strings",
  "base64",
  "url",
  "form",
  "sha1",
  "sha256",
  "md5",
])

const splitTopLevel = (text: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "<") depth++
    else if (text[i] === ">") depth--
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(start, i).trim())
      start = i + 1
    }
  }
  const last = text.slice(start).trim()
  return last === "" ? parts : [...parts, last]
}

const parseType = (text: string): Type => {
  const open = text.indexOf("<")
  if (open < 0) return /^[A-Z]$/.test(text) ? { kind: "variable", id: -text.charCodeAt(0) } : named(text)
  return named(text.slice(0, open), ...splitTopLevel(text.slice(open + 1, -1)).map(parseType))
}

/** Finds what type variables stand for. Bindings made by a failed attempt are undone. */
export class Unifier {
  #bound = new Map<number, Type>()
  #next = 0

  fresh(): Type {
    return { kind: "variable", id: this.#next++ }
  }

  /** A copy of a declared type with fresh variables for its capitals. */
  instantiate(type: Type, names: Map<number, Type>): Type {
    if (type.kind === "variable") {
      const known = names.get(type.id)
      if (known !== undefined) return known
      const made = this.fresh()
      names.set(type.id, made)
      return made
    }
    if (type.kind === "record" || type.arguments.length === 0) return type
    return named(type.name, ...type.arguments.map((one) => this.instantiate(one, names)))
  }

  /** The type behind a variable, one level deep. */
  follow(type: Type): Type {
    let current = type
    while (current.kind === "variable") {
      const next = this.#bound.get(current.id)
      if (next === undefined) return current
      current = next
    }
    return current
  }

  /** The type with every known variable replaced; unknown ones are dyn. */
  resolve(type: Type): Type {
    const followed = this.follow(type)
    if (followed.kind === "variable") return dyn
    if (followed.kind === "record" || followed.arguments.length === 0) return followed
    return named(followed.name, ...followed.arguments.map((one) => this.resolve(one)))
  }

  /** Whether each value of these types may stand where the others are asked for. */
  accepts(wanted: ReadonlyArray<Type>, given: ReadonlyArray<Type>): boolean {
    const before = new Map(this.#bound)
    const fits = wanted.every((type, i) => this.#assign(type, given[i] ?? dyn))
    if (!fits) this.#bound = before
    return fits
  }

  #occurs(id: number, type: Type): boolean {
    const followed = this.follow(type)
    if (followed.kind === "variable") return followed.id === id
    return followed.kind === "named" && followed.arguments.some((one) => this.#occurs(id, one))
  }

  #bind(id: number, type: Type): boolean {
    if (this.#occurs(id, type)) return false
    this.#bound.set(id, type)
    return true
  }

  #assign(wanted: Type, given: Type): boolean {
    // A variable already bound is widened when the new type is more general, so that [1, dyn(1)] is a list of dyn.
    if (wanted.kind === "variable") {
      const bound = this.#bound.get(wanted.id)
      if (bound !== undefined) {
        if (!this.#assign(bound, given)) return false
        const general = this.general(bound, given)
        return general.kind === "variable" || this.#occurs(wanted.id, general) ? true : this.#bind(wanted.id, general)
      }
    }
    const a = this.follow(wanted)
    const b = this.follow(given)
    if (a.kind === "variable") return (b.kind === "variable" && b.id === a.id) || this.#bind(a.id, b)
    if (b.kind === "variable") return this.#bind(b.id, a)
    if (isDyn(a) || isDyn(b)) return true
    if (b.kind === "record") {
      if (a.kind === "record") return a.name === b.name
      return isNamed(a, "map") ? this.#assign(a, mapOfDyn) : a.name === b.name
    }
    if (a.kind === "record") return isNamed(b, "map") && this.#assign(mapOfDyn, b)
    if (a.name === b.name && a.arguments.length === b.arguments.length)
      return a.arguments.every((one, i) => this.#assign(one, b.arguments[i] ?? dyn))
    if (isNamed(b, "headers") && isNamed(a, "map")) return this.#assign(a, mapOfDyn)
    if (isNamed(b, "null_type")) return nullable.has(a.name)
    return isNamed(a, "string") && texts.has(b.name)
  }

  /** The wider of two types that fit each other. */
  general(left: Type, right: Type): Type {
    const a = this.follow(left)
    const b = this.follow(right)
    if (a.kind === "variable") return b
    if (b.kind === "variable") return a
    if (isDyn(a) || isDyn(b)) return dyn
    if (isNamed(a, "null_type")) return b
    if (isNamed(a, "string") || isNamed(b, "string")) return string
    if (a.kind === "record" && b.kind === "named") return b
    if (a.kind !== "named" || b.kind !== "named" || a.arguments.length !== b.arguments.length) return a
    return a.arguments.length === 0
      ? a
      : named(a.name, ...a.arguments.map((one, i) => this.general(one, b.arguments[i] ?? dyn)))
  }

  /** The type of something that is one or the other. */
  join(left: Type, right: Type): Type {
    return this.accepts([left], [right]) || this.accepts([right], [left]) ? this.general(left, right) : dyn
  }
}

const nullable: ReadonlySet<string> = new Set(["timestamp", "duration", "optional_type", "ip", "cidr"])
