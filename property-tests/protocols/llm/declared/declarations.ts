/** Reads the declarations of a vendor's library, as far as they say what goes over the wire. */
import { readFileSync } from "node:fs"

export type Type =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "text" | "number" | "flag" | "any" | "never" | "nothing" }
  | { readonly kind: "list"; readonly of: Type }
  | { readonly kind: "one"; readonly of: ReadonlyArray<Type> }
  | { readonly kind: "all"; readonly of: ReadonlyArray<Type> }
  | { readonly kind: "object"; readonly fields: ReadonlyArray<Field>; readonly above: ReadonlyArray<Type> }
  | { readonly kind: "name"; readonly name: string; readonly within: string }

export interface Field {
  readonly name: string
  readonly optional: boolean
  readonly type: Type
}

const any: Type = { kind: "any" }
const word = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$/

const plain: Readonly<Record<string, Type>> = {
  string: { kind: "text" },
  number: { kind: "number" },
  boolean: { kind: "flag" },
  unknown: any,
  any,
  object: any,
  never: { kind: "never" },
  undefined: { kind: "nothing" },
  null: { kind: "literal", value: null },
  true: { kind: "literal", value: true },
  false: { kind: "literal", value: false },
  Uint8Array: { kind: "text" },
}

class Reader {
  private readonly tokens: ReadonlyArray<string>
  private readonly all: Map<string, Type>
  private at = 0

  constructor(text: string, all: Map<string, Type>) {
    const bare = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")
    this.tokens =
      bare.match(/'[^']*'|"[^"]*"|`[^`]*`|[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*|\d+(?:\.\d+)?|=>|\S/g) ?? []
    this.all = all
  }

  private get next(): string {
    return this.tokens[this.at] ?? ""
  }

  private take(token: string): boolean {
    if (this.next !== token) return false
    this.at++
    return true
  }

  /** Passes over what is of no interest, brackets and all. */
  private skip(ends: ReadonlyArray<string>): void {
    let depth = 0
    while (this.at < this.tokens.length) {
      const token = this.next
      if (depth === 0 && ends.includes(token)) return
      if ("{([<".includes(token)) depth++
      else if ("})]>".includes(token)) {
        if (depth === 0) return
        depth--
      }
      this.at++
    }
  }

  read(within = ""): void {
    while (this.at < this.tokens.length) {
      if (this.take("}")) return
      const token = this.next
      this.at++
      if (token === "interface") this.interface(within)
      else if (token === "type" && word.test(this.next)) this.alias(within)
      else if (token === "namespace") this.namespace(within)
      else if (token === "enum") this.enum(within)
      else if (token === "const" && word.test(this.next)) this.constant(within)
      else if (token === "class") this.class(within)
      else if (token === "{" || token === "(") {
        this.skip([])
        this.at++
      }
    }
  }

  private named(within: string): string {
    const name = this.next
    this.at++
    if (this.take("<")) {
      this.skip([])
      this.at++
    }
    return within === "" ? name : `${within}.${name}`
  }

  private interface(within: string): void {
    const name = this.named(within)
    const above: Array<Type> = []
    if (this.take("extends"))
      do above.push(this.type(within))
      while (this.take(","))
    const type = this.type(name)
    if (type.kind === "object" && !this.all.has(name)) this.all.set(name, { ...type, above })
  }

  private class(within: string): void {
    const name = this.named(within)
    this.skip(["{"])
    const type = this.type(name)
    if (!this.all.has(name)) this.all.set(name, type)
  }

  private alias(within: string): void {
    const name = this.named(within)
    if (this.take("=") && !this.all.has(name)) this.all.set(name, this.type(within))
  }

  private namespace(within: string): void {
    const name = this.named(within)
    if (this.take("{")) this.read(name)
  }

  private enum(within: string): void {
    const name = this.named(within)
    const of: Array<Type> = []
    this.take("{")
    while (!this.take("}") && this.at < this.tokens.length) {
      const value = /^["'](.*)["']$/.exec(this.next)?.[1]
      if (value !== undefined) of.push({ kind: "literal", value })
      this.at++
    }
    this.all.set(name, { kind: "one", of })
  }

  /** Bedrock's enumerations are constants of which the type is taken. */
  private constant(within: string): void {
    const name = this.named(within)
    if (!this.take(":") || this.next !== "{") return
    const type = this.type(within)
    if (type.kind === "object") this.all.set(name, { kind: "one", of: type.fields.map((field) => field.type) })
  }

  private type(within: string): Type {
    const of: Array<Type> = []
    this.take("|")
    do of.push(this.both(within))
    while (this.take("|"))
    return of.length === 1 ? (of[0] as Type) : { kind: "one", of }
  }

  private both(within: string): Type {
    const of: Array<Type> = []
    do of.push(this.postfix(within))
    while (this.take("&"))
    return of.length === 1 ? (of[0] as Type) : { kind: "all", of }
  }

  private postfix(within: string): Type {
    let type = this.primary(within)
    while (this.next === "[") {
      this.at++
      if (this.take("]")) type = { kind: "list", of: type }
      else {
        this.skip([])
        this.at++
      }
    }
    return type
  }

  private primary(within: string): Type {
    const token = this.next
    if (token === "{") return this.object(within)
    this.at++
    if (token === "readonly" || token === "(") {
      if (token === "readonly") return this.postfix(within)
      const start = this.at
      this.skip([])
      this.at++
      if (this.take("=>")) {
        this.type(within)
        return any
      }
      this.at = start
      const type = this.type(within)
      this.take(")")
      return type
    }
    if (token === "[") {
      this.skip([])
      this.at++
      return any
    }
    if (token === "typeof" || token === "keyof") return this.primary(within)
    const text = /^["'`](.*)["'`]$/.exec(token)?.[1]
    if (text !== undefined) return { kind: "literal", value: text }
    if (/^\d/.test(token)) return { kind: "literal", value: Number(token) }
    const parameters: Array<Type> = []
    if (this.take("<")) {
      do parameters.push(this.type(within))
      while (this.take(","))
      this.take(">")
    }
    const [first] = parameters
    if (Object.hasOwn(plain, token)) return plain[token] as Type
    if (token === "Record") return any
    if (first !== undefined && /^(?:Array|ReadonlyArray|Iterable)$/.test(token)) return { kind: "list", of: first }
    if (first !== undefined) return first
    return { kind: "name", name: token, within }
  }

  private object(within: string): Type {
    const fields: Array<Field> = []
    this.take("{")
    while (!this.take("}") && this.at < this.tokens.length) {
      while (this.next === "readonly" && !/^[?:]$/.test(this.tokens[this.at + 1] ?? "")) this.at++
      const name = /^["']?(.*?)["']?$/.exec(this.next)?.[1] ?? ""
      this.at++
      const optional = this.take("?")
      if (this.take(":")) {
        fields.push({ name, optional, type: this.type(within) })
        if (!this.take(";")) this.take(",")
      } else {
        this.at--
        this.skip([";"])
        this.take(";")
      }
    }
    return { kind: "object", fields, above: [] }
  }
}

export class Declarations {
  private readonly all = new Map<string, Type>()

  constructor(...files: ReadonlyArray<string>) {
    for (const file of files) new Reader(readFileSync(file, "utf8"), this.all).read()
  }

  find(name: string, within = ""): Type | undefined {
    for (let place = within; ; place = place.slice(0, Math.max(0, place.lastIndexOf(".")))) {
      const found = this.all.get(place === "" ? name : `${place}.${name}`)
      if (found !== undefined) return found
      if (place === "") break
    }
    const dot = name.indexOf(".")
    return dot < 0 ? undefined : this.find(name.slice(dot + 1))
  }
}
