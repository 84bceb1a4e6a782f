/** How a function is declared: its signatures as text, and what it does. */
import { CelError, type CelValue, type Evaluated, kindOf } from "../CelValue.ts"
import type { Natives } from "../Natives.ts"
import { parseSignature, type Signature } from "../Type.ts"

/** Receives the receiver first when it is called as a member. Must give an error for arguments of other types, never throw. */
export type Implementation = (a: CelValue, b: CelValue, c: CelValue, d: CelValue) => Evaluated

export interface CelFunction {
  readonly name: string
  readonly signatures: ReadonlyArray<Signature>
  readonly make: (natives: Natives) => Implementation
  /** Instead of `make`, for any number of arguments. */
  readonly variadic?: (args: ReadonlyArray<CelValue>) => Evaluated
  /** Gives the same result for the same arguments, so a call with constant arguments is made once. */
  readonly constant: boolean
  /** A literal that cannot be read (a range, a pattern) is refused when the expression is loaded. */
  readonly readsLiteral: boolean
  /** Steps for each 256 characters, bytes or elements of an argument; 1 unless told. */
  readonly work: number
  /** Does once what depends on constant arguments only; those that are not constant are undefined. */
  readonly specialize?: (
    natives: Natives,
    args: ReadonlyArray<CelValue | undefined>,
  ) => Implementation | CelError | undefined
}

type Options = Partial<Pick<CelFunction, "constant" | "readsLiteral" | "work" | "specialize">>

export const define = (signatures: ReadonlyArray<string>, call: Implementation, options: Options = {}): CelFunction =>
  defineNative(signatures, () => call, options)

export const defineNative = (
  signatures: ReadonlyArray<string>,
  make: (natives: Natives) => Implementation,
  options: Options = {},
): CelFunction => {
  const parsed = signatures.map(parseSignature)
  return {
    name: parsed[0]?.name ?? "",
    signatures: parsed,
    make,
    constant: true,
    readsLiteral: false,
    work: 1,
    ...options,
  }
}

export const defineVariadic = (
  signatures: ReadonlyArray<string>,
  variadic: (args: ReadonlyArray<CelValue>) => Evaluated,
): CelFunction => ({
  ...define(signatures, () => null),
  variadic,
})

export const noOverload = (name: string, ...args: ReadonlyArray<CelValue>): CelError =>
  new CelError("noSuchOverload", `no such overload: ${name}(${args.map(kindOf).join(", ")})`)

export const invalid = (message: string): CelError => new CelError("invalid", message)
