/** Where one of the gateway's own interfaces listens. */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { type Parsed, refuse } from "./Complaint.ts"

export type Address =
  | { readonly _tag: "Off" }
  | { readonly _tag: "Unix"; readonly path: string }
  /** The loopback addresses there are. */
  | { readonly _tag: "Localhost"; readonly port: number }
  | { readonly _tag: "Ip"; readonly host: string; readonly port: number }

const remedy = "Write `off`, `unix:<path>`, `localhost:<port>` or `<ip>:<port>`."

export const parse = (text: string): Parsed<Address> => {
  if (text.toLowerCase() === "off") return Result.succeed({ _tag: "Off" })
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length)
    return path === ""
      ? refuse("a unix address names the path of its socket", remedy)
      : Result.succeed({ _tag: "Unix", path })
  }
  const colon = text.lastIndexOf(":")
  const digits = text.slice(colon + 1)
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN
  if (colon < 0 || !(port <= 65_535)) return refuse(`${JSON.stringify(text)} is not an address`, remedy)
  const host = text.slice(0, colon)
  if (host.toLowerCase() === "localhost") return Result.succeed({ _tag: "Localhost", port })
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host
  const family = isIP(bare)
  return family !== 0 && (family === 6) === (bare !== host)
    ? Result.succeed({ _tag: "Ip", host: bare, port })
    : refuse(`${JSON.stringify(text)} is not an address`, remedy)
}

export const format = (address: Address): string => {
  switch (address._tag) {
    case "Off":
      return "off"
    case "Unix":
      return `unix:${address.path}`
    case "Localhost":
      return `localhost:${address.port}`
    case "Ip":
      return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
  }
}
