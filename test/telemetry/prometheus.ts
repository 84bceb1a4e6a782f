/** Reads the Prometheus text format twice: with a reader not written here, and line by line without mercy. */
import { assert } from "vitest"
import parse from "parse-prometheus-text-format"

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const escapes: Readonly<Record<string, string>> = { "\\n": "\n", '\\"': '"', "\\\\": "\\" }

const numberOf = (text: string): number => {
  if (text === "+Inf") return Infinity
  assert.match(text, /^(?:NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/)
  return Number(text)
}

/** Every sample, after checking that what they add up to can be believed. */
export const read = (text: string): ReadonlyArray<Sample> => {
  assert.isTrue(text === "" || text.endsWith("\n"))
  const types = new Map<string, string>()
  const helps = new Set<string>()
  const seen = new Set<string>()
  const samples: Array<Sample> = []
  let current = ""
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (comment !== null) {
      const [, what, name = "", rest = ""] = comment
      if (what === "HELP") {
        assert.isFalse(helps.has(name), `${name} is described twice`)
        helps.add(name)
        current = name
      } else {
        assert.equal(name, current)
        assert.isFalse(types.has(name))
        assert.include(["counter", "gauge", "histogram"], rest)
        types.set(name, rest)
      }
      continue
    }
    const match = sampleLine.exec(line)
    assert.isNotNull(match, `not a sample: ${line}`)
    const [, name = "", inside = "", value = ""] = match as RegExpExecArray
    const family = types.get(current) === "histogram" ? name.replace(/_(?:bucket|sum|count)$/, "") : name
    assert.equal(family, current, "a sample stands under its own family")
    const key = `${name}{${inside}}`
    assert.isFalse(seen.has(key), `${key} is there twice`)
    seen.add(key)
    const labels: Record<string, string> = {}
    for (const [, one = "", escaped = ""] of inside.matchAll(label)) {
      labels[one] = escaped.replace(/\\["\\n]/g, (sequence) => escapes[sequence] ?? sequence)
    }
    samples.push({ name, labels, value: numberOf(value) })
  }
  checkHistograms(samples, types)
  checkAgainstReader(text, samples, types)
  return samples
}

const without = (labels: Sample["labels"], name: string): string =>
  JSON.stringify(Object.entries(labels).filter(([key]) => key !== name))

const checkHistograms = (samples: ReadonlyArray<Sample>, types: ReadonlyMap<string, string>): void => {
  for (const { labels, name, value } of samples) {
    if (!name.endsWith("_count") || types.get(name.slice(0, -"_count".length)) !== "histogram") continue
    const family = name.slice(0, -"_count".length)
    const key = without(labels, "")
    const buckets = samples.filter((one) => one.name === `${family}_bucket` && without(one.labels, "le") === key)
    const bounds = buckets.map((one) => numberOf(one.labels["le"] ?? ""))
    assert.deepEqual(
      bounds,
      [...new Set(bounds)].sort((a, b) => a - b),
      "bounds rise",
    )
    assert.equal(bounds.at(-1), Infinity)
    const counts = buckets.map((one) => one.value)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
      "buckets contain those below",
    )
    assert.equal(counts.at(-1), value)
    assert.isTrue(samples.some((one) => one.name === `${family}_sum` && without(one.labels, "") === key))
  }
}

const checkAgainstReader = (text: string, samples: ReadonlyArray<Sample>, types: ReadonlyMap<string, string>): void => {
  const families = parse(text)
  assert.deepEqual(
    families.map(({ name, type }) => [name, type.toLowerCase()]),
    [...types],
  )
  for (const { metrics, name, type } of families) {
    if (type === "HISTOGRAM") continue
    assert.deepEqual(
      metrics.map((one) => [one.labels ?? {}, Number(one.value)]),
      samples.filter((one) => one.name === name).map((one) => [one.labels, one.value]),
    )
  }
}

/** The value of the one sample with this name and at least these labels. */
export const valueOf = (samples: ReadonlyArray<Sample>, name: string, labels: Sample["labels"] = {}): number => {
  const found = samples.filter(
    (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )
  assert.lengthOf(found, 1, `${name} ${JSON.stringify(labels)}`)
  return found[0]?.value ?? Number.NaN
}
