import { describe, expect, it } from "vitest"
import {
  circle,
  HOPS_MAX,
  placesInState,
  placesInVia,
  stateOf,
  viaOf,
  VISITS_MAX,
} from "../../../protocols/http/hops.ts"

describe("Via", () => {
  it("names our places, in whatever lists and cases they come, and nobody else's", () => {
    const values = ["1.1 proxy, 2 Sluice-ab12 (a comment)", "1.0 sluicegate", "1.1 sluice"]
    expect(placesInVia(values)).toEqual(["ab12", ""])
    expect(placesInVia([viaOf("1.1", "xy"), viaOf("2", undefined)])).toEqual(["xy", ""])
  })
})

describe("tracestate", () => {
  it("gets the place at the front, once, and keeps what others say", () => {
    const first = stateOf("a=1,b=2", "p1")
    expect(first).toBe("sluice=p1,a=1,b=2")
    expect(stateOf(`x=9,${first}`, "p2")).toBe("sluice=p1.p2,x=9,a=1,b=2")
    expect(placesInState(stateOf(first, "p2"))).toEqual(["p1", "p2"])
    expect(stateOf(undefined, "p1")).toBe("sluice=p1")
  })

  it("stays within what may be carried", () => {
    let state: string | undefined = Array.from({ length: 40 }, (_, i) => `v${i}=1`).join(",")
    for (let i = 0; i < 40; i++) state = stateOf(state, "abcdef012345")
    expect(state?.split(",")).toHaveLength(32)
    expect(state?.split(",")[0]?.length).toBeLessThan(256)
  })
})

describe("a question", () => {
  it("goes on from where it has not been", () => {
    expect(circle([], undefined, "p")).toBeUndefined()
    expect(circle(["1.1 sluice-q"], "sluice=q.p", "p")).toBeUndefined()
    expect(circle(["1.1 other-p"], "other=p.p.p.p.p", "p")).toBeUndefined()
  })

  it("does not go on from where it has been, or too far", () => {
    expect(circle(["1.1 sluice-p, 1.1 sluice-q"], undefined, "p")).toContain("come back")
    expect(
      circle(
        Array.from({ length: HOPS_MAX }, () => "1.1 sluice"),
        undefined,
        undefined,
      ),
    ).toContain("16 gateways")
    const state = (count: number, place: string): string =>
      `sluice=${Array.from({ length: count }, () => place).join(".")}`
    expect(circle([], state(VISITS_MAX, "p"), "p")).toContain("4 times")
    expect(circle([], state(VISITS_MAX - 1, "p"), "p")).toBeUndefined()
    expect(circle([], state(HOPS_MAX, "q"), "p")).toContain("led to this one")
  })
})
