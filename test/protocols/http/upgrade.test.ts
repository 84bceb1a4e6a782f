import { assert, describe, it } from "@effect/vitest"
import { refuseUpgrade } from "../../../protocols/http/upgrade.ts"

describe("an upgrade", () => {
  it("passes when the server chose from what was offered", () => {
    assert.strictEqual(refuseUpgrade("websocket", "WebSocket"), undefined)
    assert.strictEqual(refuseUpgrade("foo/2, websocket", "foo/2"), undefined)
  })

  it("is refused otherwise", () => {
    assert.isDefined(refuseUpgrade(undefined, "websocket"))
    assert.isDefined(refuseUpgrade("websocket", undefined))
    assert.isDefined(refuseUpgrade("websocket", ""))
    assert.isDefined(refuseUpgrade("websocket", "websocket, h2c"))
    assert.include(refuseUpgrade("websocket", "h2c") ?? "", '"h2c"')
  })
})
