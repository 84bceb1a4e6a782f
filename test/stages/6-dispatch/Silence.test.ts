import { assert, describe, it } from "vitest"
import { Silence } from "../../../stages/6-dispatch/Silence.ts"
import { FakeClock } from "../exchange.ts"

const watched = (isExcused = (): boolean => false) => {
  const clock = new FakeClock()
  let isGivenUp = false
  const silence = new Silence(clock, 100, () => (isGivenUp = true), isExcused)
  silence.begin()
  return { clock, silence, isGivenUp: () => isGivenUp }
}

describe("whoever says nothing", () => {
  it("is given up when the time for it has passed since the last word", () => {
    const { clock, isGivenUp, silence } = watched()
    clock.advance(90)
    silence.heard(true)
    clock.advance(99)
    assert.isFalse(isGivenUp())
    clock.advance(2)
    assert.isTrue(isGivenUp())
  })

  it("is not, while nobody takes what it says", () => {
    const { clock, isGivenUp, silence } = watched()
    silence.heard(false)
    clock.advance(1_000)
    assert.isFalse(isGivenUp())
    silence.heard(true)
    clock.advance(250)
    assert.isTrue(isGivenUp())
  })

  it("is not, while it waits for somebody else, and has all of its time after that", () => {
    let isWaiting = true
    const { clock, isGivenUp, silence } = watched(() => isWaiting)
    clock.advance(1_050)
    isWaiting = false
    silence.stirred()
    clock.advance(99)
    assert.isFalse(isGivenUp())
    clock.advance(2)
    assert.isTrue(isGivenUp())
  })

  it("is not, where what it said was only read late because this process stood still", () => {
    const { clock, isGivenUp, silence } = watched()
    clock.after(100, () => {
      // The timer has fired already; now the sockets are read.
      silence.heard(true)
    })
    clock.advance(100)
    clock.advance(50)
    assert.isFalse(isGivenUp())
  })

  it("is not, once it has said all it had", () => {
    const { clock, isGivenUp, silence } = watched()
    silence.end()
    clock.advance(1_000)
    assert.isFalse(isGivenUp())
  })
})
