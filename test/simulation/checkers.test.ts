/** A checker that cannot fail proves nothing: each of these gateways is broken in one way, and has to be caught for it. */
import * as Arbitrary from "effect/Arbitrary"
import { assert, test } from "vitest"
import * as laws from "../../src/sim/check.ts"
import { explore, seeds, SimulationFailed } from "../../src/sim/explore.ts"
import * as sabotage from "./sabotage.ts"
import { scenarios } from "./Setup.ts"

const cases: ReadonlyArray<readonly [string, sabotage.Sabotage, laws.Checker]> = [
  ["answers twice", sabotage.answersTwice, laws.oneReply],
  ["forgets to answer", sabotage.forgetsToAnswer, laws.oneReply],
  ["keeps no journal", sabotage.isSilent, laws.oneJournalLine],
  ["tells everything twice", sabotage.tellsTwice, laws.oneJournalLine],
  ["lets calls go on whose client has left", sabotage.leaksCalls, laws.callsEndWithTheirExchange],
  ["keeps replies that nobody wants", sabotage.leaksReplies, laws.callsEndWithTheirExchange],
  ["tries more often than it may", sabotage.triesTwice, laws.attemptsWithinPolicy],
  ["changes the bytes of replies", sabotage.corruptsReplies, laws.repliesArriveUnchanged],
  ["passes half a reply off as a whole one", sabotage.hidesBreaks, laws.repliesArriveUnchanged],
  ["mixes two configurations", sabotage.mixesPlans, laws.onePlan],
  ["forgets its deadlines", sabotage.forgetsDeadlines, laws.deadlinesHold],
  ["waits for silent servers for ever", sabotage.forgetsSilence, laws.silenceIsBounded],
  ["does not call silence by its name", sabotage.mistakesSilence, laws.silenceIsBounded],
  ["does not close its connections", sabotage.keepsSockets, laws.nothingIsLeft],
  ["leaves timers behind", sabotage.keepsTimers, laws.nothingIsLeft],
  ["loses its ports over a refused configuration", sabotage.closesOnRefusal, laws.refusalsChangeNothing],
  ["calls a broken reply an answer", sabotage.flatters, laws.clientsAreServed],
  ["never begins to serve", sabotage.neverOpens, laws.finishes],
  ["reads a body that somebody else reads", sabotage.readsAhead, laws.portsAreUsedAsAgreed],
  ["breaks inside", sabotage.breaks, laws.noDefect],
  ["does not come to its end", sabotage.lingers, laws.drainKeepsItsTime],
  ["makes two attempts at once", sabotage.hedges, laws.oneAttemptAtATime],
  ["loses a part of what clients send", sabotage.losesUploads, laws.requestsArriveUnchanged],
]

test("every law is broken by one of them", () => {
  assert.deepEqual(new Set(cases.map(([, , { law }]) => law)), new Set(laws.all.map(({ law }) => law)))
})

test.for(cases)("a gateway that %s is caught", async ([, wrap, expected]) => {
  const broken = Arbitrary.map(scenarios, (scenario) => ({ ...scenario, wrap }))
  try {
    await explore({ scenarios: broken, seeds: seeds({}, 400), checkers: [expected], shrinksMax: 30 })
  } catch (error) {
    assert.instanceOf(error, SimulationFailed)
    assert.strictEqual(error.violations[0]?.law, expected.law)
    return assert.include(error.message, `SIM_SEED=${error.seed}`)
  }
  assert.fail("nobody noticed")
})
