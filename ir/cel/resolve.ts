/** What a dotted name stands for: a variable (whose own name may have dots), or a type; and which function a call means. */
import type { CustomFunction } from "./customFunctions.ts"
import type { Environment } from "./Environment.ts"
import type { Expr } from "./Expr.ts"
import { type CelFunction, functions } from "./functions.ts"

const typeNames: Readonly<Record<string, string>> = {
  bool: "bool",
  int: "int",
  uint: "uint",
  double: "double",
  string: "string",
  bytes: "bytes",
  list: "list",
  map: "map",
  null_type: "null_type",
  type: "type",
  optional_type: "optional_type",
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  "google.protobuf.Timestamp": "google.protobuf.Timestamp",
  "google.protobuf.Duration": "google.protobuf.Duration",
}

export type Resolved =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "type"; readonly name: string }

/** `a.b.c` as written, when the expression is nothing but names. */
export const spelled = (
  expr: Expr,
): { readonly root: string; readonly path: string; readonly absolute: boolean } | undefined => {
  if (expr.kind === "name") return { root: expr.name, path: expr.name, absolute: expr.absolute }
  if (expr.kind !== "select" || expr.optional) return undefined
  const target = spelled(expr.target)
  return target === undefined ? undefined : { ...target, path: `${target.path}.${expr.field}` }
}

export const resolve = (
  expr: Expr,
  environment: Environment,
  isLocal: (name: string) => boolean,
): Resolved | undefined => {
  const name = spelled(expr)
  if (name === undefined || (!name.absolute && isLocal(name.root))) return undefined
  let container = name.absolute ? "" : (environment.container ?? "")
  while (true) {
    const candidate = container === "" ? name.path : `${container}.${name.path}`
    if (Object.hasOwn(environment.variables, candidate)) return { kind: "variable", name: candidate }
    if (container === "") break
    container = container.slice(0, Math.max(0, container.lastIndexOf(".")))
  }
  return Object.hasOwn(typeNames, name.path) ? { kind: "type", name: typeNames[name.path] ?? "" } : undefined
}

export type ResolvedCall =
  | {
      readonly kind: "builtIn"
      readonly known: CelFunction
      /** With its namespace. */
      readonly name: string
      /** The receiver first, when it is called as a member. */
      readonly args: ReadonlyArray<Expr>
      readonly member: boolean
    }
  | { readonly kind: "custom"; readonly custom: CustomFunction }

/** One of a namespace, else one that is configured, else one of the language. */
export const resolveCall = (
  expr: Extract<Expr, { kind: "call" }>,
  environment: Environment,
  isLocal: (name: string) => boolean,
): ResolvedCall | undefined => {
  const { name, target } = expr
  const space = target === undefined ? undefined : spelled(target)
  if (space !== undefined && !isLocal(space.root)) {
    const full = `${space.path}.${name}`
    const known = functions.get(full)
    if (known !== undefined) return { kind: "builtIn", known, name: full, args: expr.arguments, member: false }
  }
  const custom = environment.functions?.functions.get(name)
  if (custom !== undefined) return { kind: "custom", custom }
  const known = functions.get(name)
  if (known === undefined) return undefined
  return target === undefined
    ? { kind: "builtIn", known, name, args: expr.arguments, member: false }
    : { kind: "builtIn", known, name, args: [target, ...expr.arguments], member: true }
}
