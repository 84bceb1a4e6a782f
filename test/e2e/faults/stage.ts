/** A test's cast: everything it starts is closed behind it, and then no socket may be left. */
import { afterEach, beforeEach } from "vitest"
import { until } from "../harness.ts"
import { sockets } from "./freed.ts"

interface Closing {
  readonly close: () => unknown
}

/** Registers what ends after each test, the latest first. */
export const stage = (): (<A extends Closing>(what: A) => A) => {
  const cast: Array<Closing> = []
  let before = 0
  beforeEach(() => {
    before = sockets()
  })
  afterEach(async () => {
    for (const one of cast.splice(0).toReversed()) await one.close()
    await until("every socket of the test is closed", () => sockets() <= before)
  })
  return (what) => {
    cast.push(what)
    return what
  }
}
