import { describe, expect, it } from "vitest"
import type { ListenAddress } from "../../../ir/Bind.ts"
import { bindFor } from "../../../stages/3-listener/connect.ts"
import type { Plan } from "../../../stages/Plan.ts"

const plan = (addresses: Record<string, ListenAddress>): Plan =>
  ({
    binds: new Map(Object.entries(addresses).map(([key, address]) => [key, { ir: { key, address } }])),
  }) as unknown as Plan

const any: ListenAddress = { _tag: "Internal" }

describe("the bind a tunnel leads to", () => {
  it("has the port, and for an address listens everywhere", () => {
    const binds = plan({
      one: { _tag: "Ip", host: "127.0.0.1", port: 80 },
      all: { _tag: "Ip", port: 443 },
      zero: { _tag: "Ip", host: "0.0.0.0", port: 81 },
    })
    expect(bindFor(binds, "a.test", 80)).toBe("one")
    expect(bindFor(binds, "192.0.2.1", 80)).toBeUndefined()
    expect(bindFor(binds, "192.0.2.1", 443)).toBe("all")
    expect(bindFor(binds, "[2001:db8::1]", 81)).toBe("zero")
    expect(bindFor(binds, "a.test", 8080)).toBeUndefined()
  })

  it("is else the internal one that takes any port, wherever it stands", () => {
    const one: ListenAddress = { _tag: "Ip", port: 80 }
    for (const binds of [plan({ any, one }), plan({ one, any })]) {
      expect(bindFor(binds, "a.test", 80)).toBe("one")
      expect(bindFor(binds, "a.test", 9)).toBe("any")
      expect(bindFor(binds, "192.0.2.1", 9)).toBe("any")
    }
  })

  it("may be internal with a port of its own", () => {
    const binds = plan({ any, inner: { _tag: "Internal", port: 15_008 } })
    expect(bindFor(binds, "192.0.2.1", 15_008)).toBe("inner")
  })
})
