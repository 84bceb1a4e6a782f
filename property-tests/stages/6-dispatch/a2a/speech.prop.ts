/** What a voice says, the ear of the same binding and version hears, wherever the bytes are cut. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as grpc from "../../../../protocols/a2a/binding/grpc.ts"
import { type Answer, failed, result } from "../../../../protocols/a2a/Answer.ts"
import { fault, type FaultName, faults } from "../../../../protocols/a2a/Fault.ts"
import type { Dialed } from "../../../../protocols/a2a/operation.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { grpcEar, jsonRpcEar, restEar } from "../../../../stages/6-dispatch/a2a/ears.ts"
import type { Ear, Voice } from "../../../../stages/6-dispatch/a2a/Speech.ts"
import { grpcVoice, jsonRpcVoice, restVoice } from "../../../../stages/6-dispatch/a2a/voices.ts"
import { narrow } from "../../../protocols/a2a/values.ts"

const place = { base: "/agent", tenant: undefined }

const pairs: ReadonlyArray<readonly [string, Voice, Ear]> = (["1.0", "0.3"] as const).flatMap((version) => [
  [`JSON-RPC ${version}`, jsonRpcVoice(version, "mine"), jsonRpcEar(version, place)] as const,
  [`HTTP ${version}`, restVoice({ version, isProse: false }), restEar(version, place)] as const,
  [`gRPC ${version}`, grpcVoice(grpc, version), grpcEar(grpc, version, place)] as const,
])

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))

/** The same bytes in pieces of these lengths, over and over. */
const cut = (bytes: Uint8Array, lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

const names = (Object.keys(faults) as ReadonlyArray<FaultName>).filter(
  (name) => faults[name].reason !== undefined && faults[name].code > -32008 && faults[name].code !== -32603,
)
const ending = fc.option(
  fc.record({ name: fc.constantFrom(...names), message: fc.string({ minLength: 1, maxLength: 20 }) }),
)

/** What both sides of a stream make of it. */
const heard = (
  voice: Voice,
  ear: Ear,
  said: ReadonlyArray<Answer>,
  lengths: ReadonlyArray<number>,
): ReadonlyArray<Answer> => {
  const operation = "SendStreamingMessage"
  const last = said.at(-1)
  const bytes = join(said.flatMap((answer) => voice.event(operation, answer) ?? []))
  const trailers = voice.trailers(last?._tag === "Fault" ? last.fault : undefined)
  const events = ear.events(operation, new Headers([...voice.streamHeaders]))
  const answers: Array<Answer> = []
  const take = (answer: Answer): void => void answers.push(answer)
  for (const piece of cut(bytes, lengths)) assert.isTrue(events.push(piece, take))
  events.end(trailers === undefined ? undefined : new Headers([...trailers]), take)
  return answers
}

const nameOf = (answer: Answer): unknown =>
  answer._tag === "Fault" ? { fault: answer.fault.name, message: answer.fault.message } : plain(answer.result)

describe.each(pairs)("%s", (_, voice, ear) => {
  it("is heard as it was said", () =>
    fc.assert(
      fc.property(
        fc.array(narrow.event, { maxLength: 4 }),
        ending,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (events, end, lengths) => {
          // gRPC of 0.3 has only texts to tell errors of one code apart, unless the agent gives details: ours does.
          const said: ReadonlyArray<Answer> = [
            ...events.map((event) => result(event)),
            ...(end === null ? [] : [failed(fault(end.name, end.message))]),
          ]
          assert.deepStrictEqual(heard(voice, ear, said, lengths).map(nameOf), said.map(nameOf))
        },
      ),
      { numRuns: 100 },
    ))

  it("answers in one piece are heard as well", () =>
    fc.assert(
      fc.property(narrow.task, (task) => {
        const piece = voice.whole("GetTask", result(task))
        const trailers = piece.trailers === undefined ? undefined : new Headers([...piece.trailers])
        const answer = ear.whole("GetTask", piece.status, new Headers([...piece.headers]), piece.bytes, trailers)
        assert.deepStrictEqual(nameOf(answer), plain(task))
      }),
      { numRuns: 100 },
    ))
})

/** What comes from an agent in one way, told to a client in another: every pair, and each in both directions. */
describe.each(pairs.flatMap((from) => pairs.map((to) => [`${from[0]} to ${to[0]}`, from, to] as const)))(
  "from %s",
  (_, [, agentVoice, agentEar], [, clientVoice, clientEar]) => {
    it("streams say the same, event by event, and end the same", () =>
      fc.assert(
        fc.property(
          fc.array(narrow.event, { maxLength: 3 }),
          ending,
          fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
          (events, end, lengths) => {
            const said: ReadonlyArray<Answer> = [
              ...events.map((event) => result(event)),
              ...(end === null ? [] : [failed(fault(end.name, end.message))]),
            ]
            const passed = heard(agentVoice, agentEar, said, lengths)
            assert.deepStrictEqual(heard(clientVoice, clientEar, passed, lengths).map(nameOf), said.map(nameOf))
          },
        ),
        { numRuns: 20 },
      ))
  },
)

it("both sides are the same protocol", () => {
  const same = ({ binding, version }: Dialed): string => `${binding} ${version}`
  for (const [, voice, ear] of pairs) assert.strictEqual(same(voice.dialed), same(ear.dialed))
})
