/** Whether a server switched to what the client asked for (RFC 9110 §7.8). */

const protocolsOf = (value: string): ReadonlyArray<string> =>
  value.split(",").map((protocol) => protocol.trim().toLowerCase())

/**
 * Why a 101 cannot be passed on, or undefined when it can. The server must have chosen from what was offered, since
 * from here on bytes flow that nobody can check.
 */
export const refuseUpgrade = (offered: string | undefined, chosen: string | undefined): string | undefined => {
  if (offered === undefined) return "the server switched protocols without being asked"
  if (chosen === undefined) return "the server switched to a protocol it did not name"
  const offers = protocolsOf(offered)
  return protocolsOf(chosen).every((protocol) => protocol !== "" && offers.includes(protocol))
    ? undefined
    : `the server switched to ${JSON.stringify(chosen)}, asked for was ${JSON.stringify(offered)}`
}
