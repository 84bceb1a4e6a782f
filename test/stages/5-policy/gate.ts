/** What steps that prove identities are compiled with, for tests. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { cryptography } from "../../../src/node/cryptography.ts"
import { type Gate, over } from "../../../stages/5-policy/Gate.ts"
import type { DocumentPorts } from "../../../stages/5-policy/RemoteDocument.ts"
import type { Cryptography } from "../../../stages/ports/Cryptography.ts"
import { FakeClock } from "../exchange.ts"

export const gateOf = (own: Cryptography = cryptography, ports: Partial<DocumentPorts> = {}): Gate =>
  over(own, {
    clock: new FakeClock(),
    fetch: () => Effect.fail("there is no network"),
    run: (effect) => Effect.runFork(Effect.provideService(effect, References.MinimumLogLevel, "None")),
    ...ports,
  })
