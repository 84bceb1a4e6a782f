/** What a dotted name stands for: a variable (whose own name may have dots), or a type. */
import type { Environment } from "./Environment.ts"
import type { Expr } from "./Expr.ts"

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
