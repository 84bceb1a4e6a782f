import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { NetworkAuthorization } from "../../../ir/policy/NetworkAuthorization.ts"
import type { Rule } from "../../../ir/policy/RuleSet.ts"
import { compile } from "../../../stages/1-accept/admission.ts"
import type { Accepted, Secured } from "../../../stages/Connection.ts"
import type { ClientIdentity } from "../../../stages/ports/Network.ts"
import { cel, computing } from "../../../test/stages/5-policy/computing.ts"
import { aSocket } from "../../../test/stages/exchange.ts"

/** A rule, what it comes to for whom, and whether it asks for what only a handshake tells. */
const rules: ReadonlyArray<readonly [source: string, holds: (client: boolean, local: boolean) => boolean | undefined]> =
  [
    ['cidr("127.0.0.0/8").containsIP(source.address)', (_, local) => local],
    ['source.address == "127.0.0.1"', (_, local) => local],
    ['source.subjectCn == "ann"', (client) => client || undefined],
    ['has(source.subjectCn) && source.subjectCn == "ann"', (client) => client],
    ["source.port > 1000", () => true],
    ["1 / 0 == source.port", () => undefined],
    ["false", () => false],
  ]

const set = fc.array(fc.tuple(fc.constantFrom<Rule["effect"]>("allow", "deny", "require"), fc.nat(rules.length - 1)), {
  maxLength: 4,
})

const ann: ClientIdentity = {
  subjectAltNames: [],
  issuer: "CN=ca",
  subject: "CN=ann",
  subjectCn: "ann",
  certificatePem: "",
} as unknown as ClientIdentity

it("a connection stays exactly when its definition says so, whether it is judged before the handshake or after", () => {
  fc.assert(
    fc.property(fc.array(set, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.boolean(), (sets, client, local) => {
      const policies = sets.map((one): NetworkAuthorization => ({
        _tag: "NetworkAuthorization",
        rules: one.map(([effect, i]) => ({ effect, expression: cel(rules[i]?.[0] ?? "") })),
      }))
      const admission = compile(policies, computing(), () => undefined)
      const all = sets.flat()
      if (all.length === 0) {
        assert.isUndefined(admission)
        return
      }
      const outcome = (effect: Rule["effect"], isSealed: boolean) =>
        all.filter(([one]) => one === effect).map(([, i]) => rules[i]?.[1](client && isSealed, local))
      const judged = (isSealed: boolean): boolean => {
        const allows = outcome("allow", isSealed)
        return (
          outcome("deny", isSealed).every((one) => one === false) &&
          outcome("require", isSealed).every((one) => one === true) &&
          (allows.length === 0 || allows.includes(true))
        )
      }
      const peer = { host: local ? "127.0.0.1" : "192.0.2.7", port: 50_000 }
      const socket = aSocket()
      const accepted: Accepted = {
        bind: "bind/test" as Accepted["bind"],
        socket,
        peer,
        rawPeer: peer,
        local: { host: "127.0.0.1", port: 8080 },
        acceptedMillis: 0,
      }
      const tls: Secured["tls"] = {
        serverName: "",
        alpn: undefined,
        version: "TLSv1.3",
        client: client ? ann : undefined,
      }
      const early = admission?.early(accepted)
      // Whoever is turned away early would have been turned away in the end; whoever is let in early stays.
      if (early !== undefined) assert.strictEqual(early, judged(true))
      if (early !== false) assert.strictEqual(admission?.final({ accepted, socket, tls }), judged(true))
    }),
    { numRuns: 1500 },
  )
})
