/** Where an upstream is: `host:port`, `[::1]:port` or `unix:/path`. */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import type { HostTarget } from "../../ir/Backend.ts"
import { type Parsed, refuse } from "./Complaint.ts"

const remedy = "Write `host:port`, `[IPv6 address]:port` or `unix:/path/to.sock`."

export const port = (text: string): number | undefined => {
  if (!/^\d{1,5}$/.test(text)) return undefined
  const number = Number(text)
  return number >= 1 && number <= 65_535 ? number : undefined
}

const hostname = /^[^\s\0-\x1f\x7f/\\?#@[\]:,"'<>{}|^`%*]+$/

export const isHostname = (text: string): boolean => text.length <= 255 && hostname.test(text)

export const parse = (text: string): Parsed<HostTarget> => {
  const invalid = (more: string) => refuse(`invalid host:port: ${text}`, more)
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length)
    return path === "" ? invalid("Name the socket after `unix:`.") : Result.succeed({ _tag: "Unix", path })
  }
  if (text.includes("://")) return invalid(`Leave out the scheme. ${remedy}`)
  const colon = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":")
  if (colon <= 0 || text[colon] !== ":") return invalid(remedy)
  const name = text.slice(0, colon)
  const number = port(text.slice(colon + 1))
  if (number === undefined) {
    return invalid(
      isIP(text) === 6 ? "Put an IPv6 address in brackets and add a port." : "The port is a number from 1 to 65535.",
    )
  }
  if (name.startsWith("[")) {
    const address = name.slice(1, -1)
    return isIP(address) === 6 ? Result.succeed({ _tag: "Host", host: address, port: number }) : invalid(remedy)
  }
  return isHostname(name) ? Result.succeed({ _tag: "Host", host: name.toLowerCase(), port: number }) : invalid(remedy)
}

export const format = (target: HostTarget): string =>
  target._tag === "Unix"
    ? `unix:${target.path}`
    : target.host.includes(":")
      ? `[${target.host}]:${target.port}`
      : `${target.host}:${target.port}`
