/** Catalogues of prices, from files and from the configuration itself, to one. */
import * as Schema from "effect/Schema"
import type { Price, Prices, Rates as IrRates } from "../../../ir/Prices.ts"
import { formatPath, type Path } from "../ConfigIssue.ts"
import { decoder } from "./decode.ts"
import { Count } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"
import { present } from "./present.ts"
import type { StaticSection } from "./staticSection.ts"

/** Text, so that no rate is rounded before it is used; at most six digits after the point. */
const Rate = Schema.optionalKey(
  Schema.Union([
    Schema.String.check(Schema.isPattern(/^\d{1,9}(?:\.\d{1,6})?$/, { message: 'expected a decimal such as "2.50"' })),
    Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0, { message: "expected a number, 0 or more" })),
  ]),
)

const Rates = Schema.Struct({
  input: Rate,
  output: Rate,
  cacheRead: Rate,
  cacheWrite: Rate,
  cacheWriteHour: Rate,
  reasoning: Rate,
  inputAudio: Rate,
  outputAudio: Rate,
})

const Model = Schema.Struct({
  rates: Schema.optionalKey(Rates),
  tiers: Schema.optionalKey(Schema.Array(Schema.Struct({ contextOver: Count, rates: Rates }))),
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
})

const Catalogue = Schema.Struct({
  providers: Schema.Record(Schema.String, Schema.Struct({ models: Schema.Record(Schema.String, Model) })),
})

const decode = decoder(Catalogue)

type Entry = NonNullable<(typeof StaticSection.Type)["modelCatalog"]>[number]

const numbers = (rates: typeof Rates.Type = {}): IrRates => {
  const made: Record<string, number> = {}
  for (const [name, rate] of Object.entries(rates)) if (rate !== undefined) made[name] = Number(rate)
  return made
}

const jsonOf = (text: string, path: Path, to: Mapping): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    return to.fail(path, `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What is wrong with a text, a file for instance, is told where the text is named. */
const catalogueOf = (entry: Entry, path: Path, to: Mapping): typeof Catalogue.Type | undefined => {
  const written = entry.file === undefined ? entry.inline : to.file(entry.file, path)
  const isText = typeof written === "string"
  const json = isText ? jsonOf(written, path, to) : structuredClone(written)
  if (json === undefined) return undefined
  const { problems, value } = decode(json)
  for (const problem of problems) {
    if (isText) to.fail(path, [formatPath(problem.path), problem.message].filter(Boolean).join(": "), problem.remedy)
    else to.problems.push({ ...problem, path: [...path, ...problem.path] })
  }
  return problems.length === 0 ? value : undefined
}

const growing = (thresholds: ReadonlyArray<number>): boolean =>
  thresholds.every((one, i) => i === 0 || one > (thresholds[i - 1] as number))

/** A later entry wins rate by rate; its tiers take the place of earlier ones, its tags join theirs. */
const merged = (before: Price | undefined, { rates, tags, tiers }: typeof Model.Type): Price => ({
  rates: { ...before?.rates, ...numbers(rates) },
  tiers: tiers?.map((tier) => ({ contextOver: tier.contextOver, rates: numbers(tier.rates) })) ?? before?.tiers ?? [],
  tags: [...new Set([...(before?.tags ?? []), ...(tags ?? [])])],
})

/** Undefined without a catalogue. */
export const prices = (entries: ReadonlyArray<Entry> | undefined, to: Mapping): Prices | undefined => {
  if (entries === undefined || entries.length === 0) return undefined
  const all: Record<string, Record<string, Price>> = {}
  for (const [i, entry] of entries.entries()) {
    const path = ["config", "modelCatalog", i, entry.file === undefined ? "inline" : "file"]
    const catalogue = catalogueOf(entry, path, to)
    if (catalogue === undefined) continue
    for (const [provider, { models }] of Object.entries(catalogue.providers)) {
      const known = (all[provider] ??= {})
      for (const [name, model] of Object.entries(models)) {
        if (!growing(model.tiers?.map(({ contextOver }) => contextOver) ?? [])) {
          to.fail(path, `the thresholds of \`${provider}\` \`${name}\` do not grow`)
        }
        known[name] = merged(known[name], model)
      }
    }
  }
  return all
}

/** Every backend of models is given the same catalogue. */
export const pricedBackends = (config: { readonly modelCatalog?: ReadonlyArray<Entry> } | undefined, to: Mapping) => {
  const catalogue = prices(config?.modelCatalog, to)
  if (catalogue === undefined) return
  for (const [key, backend] of to.backends) {
    if (backend._tag === "Llm" || backend._tag === "Models") {
      to.backends.set(key, { ...backend, ...present({ prices: catalogue }) })
    }
  }
}
