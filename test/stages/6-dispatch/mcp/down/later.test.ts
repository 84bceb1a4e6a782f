/** What a session means to do in a while ends with it, so that nothing of a closed gateway keeps its process alive. */
import { describe, expect, it } from "vitest"
import type { Exchange } from "../../../../../stages/Exchange.ts"
import { DownSession, type Identity } from "../../../../../stages/6-dispatch/mcp/down/DownSession.ts"
import type { McpRuntime } from "../../../../../stages/6-dispatch/mcp/McpRuntime.ts"

const sessionOf = () => {
  const due: Array<() => void> = []
  const clock = {
    nowMillis: () => 0,
    after: (_: number, act: () => void) => {
      due.push(act)
      return () => void due.splice(due.indexOf(act), 1)
    },
  }
  const session = new DownSession(
    { principal: "", revision: "2025-11-25", uid: "u", capabilities: undefined } as unknown as Identity,
    { clock } as unknown as McpRuntime,
    1,
    { request: {} } as Exchange,
  )
  return { due, session }
}

describe("what a session does later", () => {
  it("is done once", () => {
    const { due, session } = sessionOf()
    let done = 0
    session.later(1, () => done++)
    for (const act of due.splice(0)) act()
    session.close()
    expect(done).toBe(1)
  })

  it("is taken back when it is over, and not begun after that", () => {
    const { due, session } = sessionOf()
    session.later(1, () => {})
    session.close()
    expect(due).toEqual([])
    session.later(1, () => {})
    expect(due).toEqual([])
  })
})
