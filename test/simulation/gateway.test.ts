/**
 * The gateway in worlds that chance makes. SIM_SEED replays one seed, SIM_RUNS says how many there are.
 */
import { assert, test } from "vitest"
import { explore, scenarioOf, seeds, simulate } from "../../src/sim/explore.ts"
import { Marks } from "../../src/sim/marks.ts"
import type { Trace } from "../../src/sim/Trace.ts"
import { observeSetups } from "./marks.ts"
import { describe, scenarios } from "./Setup.ts"

const runsByDefault = 1_500
const all = seeds(process.env, runsByDefault)

test("every law holds for every seed, and what should happen sometimes does", async () => {
  const marks = new Marks()
  await explore({ scenarios, seeds: all, marks, describe, expect: (report) => observeSetups(marks, report) })
  if (all.length >= 1_000) assert.deepEqual(marks.missing, [])
})

/** What can be compared: exchanges hold functions. */
const told = ({ calls, fingerprint, journal, log, offers, requests }: Trace) => ({
  fingerprint,
  requests,
  calls,
  offers,
  log,
  journal: journal.map(({ atMillis, ending, request, step }) => ({ atMillis, step, request, outcome: ending.outcome })),
})

test("the same seed gives the same run, another seed another", async () => {
  const sample = seeds({}, 60, 50_000)
  const fingerprints = new Set<string>()
  for (const seed of sample) {
    const once = told(await simulate(scenarioOf(scenarios, seed), seed))
    const again = told(await simulate(scenarioOf(scenarios, seed), seed))
    assert.deepEqual(again, once)
    fingerprints.add(once.fingerprint)
  }
  assert.strictEqual(fingerprints.size, sample.length)
})

test("one world runs in many orders", async () => {
  const scenario = scenarioOf(scenarios, 7)
  const fingerprints = new Set<string>()
  for (const seed of seeds({}, 20)) fingerprints.add((await simulate(scenario, seed)).fingerprint)
  assert.strictEqual(fingerprints.size, 20)
})
