import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { placement } from "../../ir/placement.ts"
import type { PolicyKind } from "../../ir/placement.ts"
import { type Line, replyOrder, requestOrder } from "../../stages/5-policy/order.ts"
import { root } from "./blocks.ts"

const page = fs.readFileSync(path.join(root, "docs/policies/order.md"), "utf8")

/** The names of policies in a line of the page, from a word of it on. */
const named = (number: number, from = ""): ReadonlyArray<string> => {
  const line = page.split("\n").find((one) => one.startsWith(`${number}. `)) ?? ""
  return Array.from(line.slice(line.indexOf(from)).matchAll(/`(\w+)`/g), ([, name]) => name ?? "")
}

const spelled = (lines: ReadonlyArray<Line<PolicyKind>>): ReadonlyArray<string> =>
  lines.map(({ kind }) => placement[kind].spelling)

describe("the page on the order of policies names them as they run", () => {
  it("before a route is chosen", () => expect(named(2)).toEqual(spelled(requestOrder.gateway)))

  it("of a route", () => expect(named(3)).toEqual(spelled(requestOrder.route.filter(({ by }) => by === "step"))))

  it("of a backend, after the connection to it", () => {
    // Promised for every reply, and a copy on the side: neither is a turn that anybody waits for.
    const aside: ReadonlyArray<PolicyKind> = ["ResponseHeaderModifier", "RequestMirror"]
    const first = requestOrder.backend.findIndex(({ kind }) => kind === "BackendHttp") + 1
    const turns = requestOrder.backend.slice(first).filter(({ kind }) => !aside.includes(kind))
    expect(named(4, "then")).toEqual(spelled(turns))
  })

  it("on the way back", () => {
    const text = page.slice(page.indexOf("## On the way back"), page.indexOf("## Several of one kind"))
    const kinds = replyOrder.map(({ kind }) => placement[kind].spelling)
    const places = Array.from(text.matchAll(/`(\w+)`/g), ([, name]) => kinds.indexOf(name ?? ""))
    expect(places.length).toBeGreaterThan(5)
    expect(places.filter((place) => place < 0)).toEqual([])
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })
})
