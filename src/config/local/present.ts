/** An optional field is absent or has a value: `undefined` is neither. */

export type Present<A> = { [K in keyof A as undefined extends A[K] ? never : K]: A[K] } & {
  [K in keyof A as undefined extends A[K] ? K : never]?: Exclude<A[K], undefined>
}

/** The same without the fields that are `undefined`. */
export const present = <A extends object>(fields: A): Present<A> => {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) out[key] = value
  return out as Present<A>
}
