/** Whether a target that a client named is the very door the client came in by. */
import type { Bound } from "../Connection.ts"
import { parseIpv4, parseIpv6 } from "../../protocols/net/ip.ts"

const isHere = (host: string): boolean => {
  if (host === "localhost" || host.endsWith(".localhost")) return true
  const four = parseIpv4(host)
  if (four !== undefined) return four[0] === 127 || four.every((byte) => byte === 0)
  const six = parseIpv6(host)
  if (six === undefined) return false
  if (six.subarray(0, 10).every((byte) => byte === 0) && six[10] === 0xff && six[11] === 0xff) return six[12] === 127
  return six.subarray(0, 15).every((byte) => byte === 0) && (six[15] as number) <= 1
}

/** Names are not resolved here, so a name that leads back to the gateway is not seen. */
export const isOwn = ({ secured: { accepted } }: Bound, host: string, port: number): boolean =>
  port !== 0 && port === accepted.local.port && (host === accepted.local.host || isHere(host))
