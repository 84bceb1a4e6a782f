/** What is said survives every way of saying it, there and back. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as grpc from "../../../protocols/a2a/binding/grpc.ts"
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import * as rest from "../../../protocols/a2a/binding/rest.ts"
import { modern } from "../../../protocols/a2a/dialect/Dialect.ts"
import { legacyJson } from "../../../protocols/a2a/dialect/legacyJson.ts"
import { legacyProto } from "../../../protocols/a2a/dialect/legacyProto.ts"
import { detect, versionOfRest, versionOfRpc } from "../../../protocols/a2a/detect.ts"
import {
  type Fault,
  faults,
  type FaultName,
  fromGrpc,
  fromJsonRpc,
  fromRest,
  grpcCode,
  restStatus,
  toJsonRpc,
  toRest,
  detailsOf,
} from "../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf } from "../../../protocols/a2a/Fields.ts"
import type { Call, Version } from "../../../protocols/a2a/operation.ts"
import { readVersion } from "../../../protocols/a2a/version.ts"
import { calls, full, type Kit, narrow } from "./values.ts"

const versions: ReadonlyArray<Version> = ["1.0", "0.3"]

/** A configuration of 0.3 always says whether to wait, so an empty one comes back. */
const withoutEmpty = ({ operation, params }: Call): Call => {
  const { configuration, ...rest } = params
  return Object.keys(fieldsOf(configuration)).length === 0 ? { operation, params: rest } : { operation, params }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const check = <A>(arbitrary: fc.Arbitrary<A>, law: (value: A) => void): void =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      law(value)
    }),
    { numRuns: 200 },
  )

describe("an event written in another version and read again is the same", () => {
  it("in the JSON of 0.3, with everything 1.0 can say", () =>
    check(full.event, (event) =>
      assert.deepStrictEqual(
        plain(legacyJson.result.read("SendStreamingMessage", legacyJson.result.write("SendStreamingMessage", event))),
        plain(event),
      ),
    ))
  it("in the protobuf JSON of 0.3, as far as that package goes", () =>
    check(narrow.event, (event) =>
      assert.deepStrictEqual(
        plain(legacyProto.result.read("SendStreamingMessage", legacyProto.result.write("SendStreamingMessage", event))),
        plain(event),
      ),
    ))
  it("as bytes of gRPC in both versions", () =>
    check(narrow.event, (event) => {
      for (const version of versions) {
        const written = grpc.writeAnswer("SendStreamingMessage", version, event)
        assert(written._tag === "Read", JSON.stringify(written))
        assert.deepStrictEqual(plain(grpc.readAnswer("SendStreamingMessage", version, written.value)), {
          _tag: "Result",
          result: plain(event),
        })
      }
    }))
  it("as bytes of gRPC in 1.0, with everything 1.0 can say", () =>
    check(full.event, (event) => {
      const written = grpc.writeAnswer("SendStreamingMessage", "1.0", event)
      assert(written._tag === "Read", JSON.stringify(written))
      assert.deepStrictEqual(plain(grpc.readAnswer("SendStreamingMessage", "1.0", written.value)), {
        _tag: "Result",
        result: plain(event),
      })
    }))
})

it("fields that nobody knows survive the JSON of both versions", () =>
  check(
    fc.tuple(full.event, fc.dictionary(fc.stringMatching(/^x[a-z]{2,5}$/), fc.string(), { minKeys: 1, maxKeys: 2 })),
    ([event, more]) => {
      const with2 = Object.fromEntries(
        Object.entries(event).map(([name, value]) => [name, { ...fieldsOf(value), ...more }]),
      )
      assert.deepStrictEqual(
        plain(legacyJson.result.read("SendStreamingMessage", legacyJson.result.write("SendStreamingMessage", with2))),
        plain(with2),
      )
    },
  ))

describe("a call put to an agent is the call the agent reads", () => {
  const through: ReadonlyArray<readonly [string, Kit, (call: Call, version: Version) => Call]> = [
    [
      "by JSON-RPC",
      full,
      (call, version) => {
        const asked = jsonRpc.readRequest(plain(jsonRpc.writeCall(call, version, 7)))
        assert(asked._tag === "Read")
        const seen = versionOfRpc(asked.value.method, readVersion(undefined))
        assert.deepStrictEqual(seen, { version })
        const read = jsonRpc.readCall(asked.value, version)
        assert(read._tag === "Read")
        return read.value
      },
    ],
    [
      "by REST",
      narrow,
      (call, version) => {
        const put = rest.writeCall(call, { version, isProse: false })
        const seen = detect({ method: put.method, path: `/some/agent${put.path}`, contentType: "application/json" })
        assert(seen._tag === "Rest", put.path)
        assert.strictEqual(seen.resource.base, "/some/agent")
        assert.deepStrictEqual(versionOfRest(seen.resource, put.path, readVersion(undefined)), { version })
        const read = rest.readCall(
          seen.resource,
          version,
          put.query,
          put.body === undefined ? "" : JSON.stringify(put.body),
        )
        assert(read._tag === "Read", JSON.stringify(read))
        return read.value.call
      },
    ],
    [
      "by gRPC",
      narrow,
      (call, version) => {
        const put = grpc.writeCall(call, version)
        assert(put._tag === "Read", JSON.stringify(put))
        const read = grpc.readCall(call.operation, version, put.value)
        assert(read._tag === "Read", JSON.stringify(read))
        return read.value
      },
    ],
  ]
  for (const version of versions) {
    it.each(through)(`%s in ${version}`, (_, kit, send) =>
      check(calls(kit, version === "1.0"), (call) => {
        assert.deepStrictEqual(plain(withoutEmpty(send(call, version))), plain(withoutEmpty(call)))
      }),
    )
  }
  it("in the shape that the text of 0.3 shows for REST", () =>
    check(calls(full, false), (call) => {
      const put = rest.writeCall(call, { version: "0.3", isProse: true })
      if (put.body === undefined) return
      const seen = detect({ method: put.method, path: put.path, contentType: "application/json" })
      assert(seen._tag === "Rest")
      const read = rest.readCall(seen.resource, "0.3", put.query, JSON.stringify(put.body))
      assert(read._tag === "Read")
      assert.deepStrictEqual(plain(withoutEmpty(read.value.call)), plain(withoutEmpty(call)))
    }))
})

describe("an error keeps its name", () => {
  const protocol = (Object.keys(faults) as ReadonlyArray<FaultName>).filter((name) => faults[name].reason !== undefined)
  const one = fc.record({ name: fc.constantFrom(...protocol), message: fc.string({ minLength: 1, maxLength: 20 }) })
  const same = (was: Fault, is: Fault): void => {
    assert.strictEqual(is.name, was.name)
    assert.strictEqual(is.message, was.message)
  }
  it("in 1.0, by every binding", () =>
    check(one, (error) => {
      same(error, fromJsonRpc(plain(toJsonRpc(error, "1.0")) as Fields))
      same(error, fromRest(restStatus(error), plain(toRest(error, "1.0"))))
      same(error, fromGrpc(grpcCode(error), error.message, detailsOf(error)))
      same(error, grpc.readFault(grpcCode(error), error.message, grpc.writeDetails(error)))
    }))
  it("in 0.3, by the codes it has", () =>
    check(
      one.filter(({ name }) => faults[name].code > -32008 && faults[name].code !== -32603),
      (error) => {
        same(error, fromJsonRpc(plain(toJsonRpc(error, "0.3")) as Fields))
        same(error, fromRest(restStatus(error), plain(toRest(error, "0.3"))))
      },
    ))
})

it("1.0 is what everything is understood in, so it is left as it is", () =>
  check(full.event, (event) => {
    assert.strictEqual(modern.result.read("SendMessage", event), event)
    assert.strictEqual(modern.result.write("SendMessage", event), event)
  }))
