/** Host names that listeners and routes answer to: exact, `*.suffix`, or `*` for any. */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { parseAuthority } from "../../../protocols/http/authority.ts"
import { type Parsed, refuse } from "../Complaint.ts"
import { isHostname } from "../target.ts"

const remedy = "Write a name such as `www.example.com`, or `*.example.com` for everything below it."

export const parse = (text: string): Parsed<string> => {
  const name = text.toLowerCase()
  if (name === "" || name === "*") return Result.succeed("*")
  if (name.startsWith("[") && isIP(name.slice(1, -1)) === 6) return Result.succeed(name)
  if (/:\d+$/.test(name) && isHostname(name.slice(0, name.lastIndexOf(":")))) {
    return refuse(`${JSON.stringify(text)} names a port`, "Leave the port out: host names are compared without it.")
  }
  const below = name.startsWith("*.") ? "*." : ""
  // As it is read of requests, so that it is found again.
  const host = name.includes("[") ? undefined : parseAuthority(name.slice(below.length))?.host
  return host !== undefined && !name.includes(":")
    ? Result.succeed(below + host)
    : refuse(`${JSON.stringify(text)} is not a host name`, remedy)
}
