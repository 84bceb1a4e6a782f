/** What an expression may name: variables with their types, and functions of the configuration. */
import type { CustomFunctions } from "./customFunctions.ts"
import type { Type } from "./Type.ts"
import { type Context, contextNames, contexts } from "./variables.ts"

export interface Environment {
  /** As it reads in "… is not available in X". */
  readonly name: string
  readonly variables: Readonly<Record<string, Type>>
  /** Variables that exist elsewhere, and where. */
  readonly elsewhere: Readonly<Record<string, ReadonlyArray<string>>>
  readonly functions?: CustomFunctions | undefined
  /** Names are looked for inside this name first, then outside. */
  readonly container?: string | undefined
}

const everywhere = (): Readonly<Record<string, ReadonlyArray<string>>> => {
  const places: Record<string, Array<string>> = {}
  for (const [context, variables] of Object.entries(contexts))
    for (const name of Object.keys(variables)) (places[name] ??= []).push(contextNames[context as Context])
  return places
}
const elsewhere = everywhere()

/** The environment of a place of evaluation. */
export const environment = (context: Context, functions?: CustomFunctions): Environment => ({
  name: contextNames[context],
  variables: contexts[context],
  elsewhere,
  functions,
})

export const environmentOf = (
  name: string,
  variables: Readonly<Record<string, Type>>,
  functions?: CustomFunctions,
): Environment => ({
  name,
  variables,
  elsewhere: {},
  functions,
})
