/** Host names that listeners and routes answer to: exact, `*.suffix`, or `*` for any. */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { domainToASCII } from "node:url"
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
  const written = name.slice(below.length)
  // Clients send a name beyond ASCII in the form that DNS has for it.
  const ascii = /^[\0-\x7f]*$/.test(written) ? written : domainToASCII(written)
  // As it is read of requests, so that it is found again.
  const host = ascii.includes("[") ? undefined : parseAuthority(ascii)?.host
  return host !== undefined && isHostname(host) && !/^\.|\.\.|:/.test(host)
    ? Result.succeed(below + host)
    : refuse(`${JSON.stringify(text)} is not a host name`, remedy)
}
