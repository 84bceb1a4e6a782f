import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BackendKey } from "../../../ir/Key.ts"
import { runtimeOf } from "../../../stages/6-dispatch/aws/agentCore.ts"
import { credentials } from "../../../src/node/credentials/credentials.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { compile } from "../../../stages/compile.ts"
import { makeExchange } from "../exchange.ts"
import * as Redacted from "effect/Redacted"
import * as snapshots from "../../ir/snapshots.ts"
import { routing, toBackend, World } from "./world.ts"

const arn = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/helpdesk-1"

const backend = (qualifier?: string) => ({
  _tag: "AgentCore" as const,
  key: BackendKey.make("/agent"),
  policies: [],
  runtimeArn: arn,
  ...(qualifier === undefined ? {} : { qualifier }),
})

const asked = async (url: string, qualifier?: string) => {
  const w = new World()
  const gate = over(
    cryptography,
    { clock: w.clock, fetch: () => Effect.fail(""), run: (effect) => Effect.runFork(effect) },
    undefined,
    {
      credentials: {
        ...credentials,
        aws: async () => ({ accessKeyId: "AKIA", secretAccessKey: Redacted.make("s"), expiresMillis: Infinity }),
      },
    },
  )
  const snapshot = routing([toBackend("agent")], [], { backends: snapshots.table(backend(qualifier)) })
  w.plan = await Effect.runPromise(compile({ ...w.ports, gate }, snapshot, undefined))
  await Effect.runPromise(w.serve(makeExchange({ method: "POST", url, body: "{}" })))
  return w.call
}

describe("an agent runtime", () => {
  it("is reached in its region, over TLS, at its own path, signed for its service", async () => {
    const call = await asked("http://gateway.example/whatever?a=1")
    assert.strictEqual(call.to, "bedrock-agentcore.eu-west-1.amazonaws.com:443")
    assert.strictEqual(call.spec.tls?.verify, "full")
    assert.strictEqual(call.authority, "bedrock-agentcore.eu-west-1.amazonaws.com")
    assert.strictEqual(call.request.path, `/runtimes/${encodeURIComponent(arn)}/invocations`)
    assert.strictEqual(call.request.query, "a=1")
    assert.match(
      call.headers.get("authorization") ?? "",
      /Credential=AKIA\/\d{8}\/eu-west-1\/bedrock-agentcore\/aws4_request/,
    )
  })

  it("may be asked for by its qualifier, whatever the client asked for", async () => {
    const call = await asked("http://gateway.example/?qualifier=mine&b=2", "PROD 1")
    assert.strictEqual(call.request.query, "b=2&qualifier=PROD%201")
  })

  it("of another partition has another name", () => {
    assert.strictEqual(
      runtimeOf({ ...backend(), runtimeArn: arn.replace("arn:aws:", "arn:aws-cn:") }).host,
      "bedrock-agentcore.eu-west-1.amazonaws.com.cn",
    )
  })
})
