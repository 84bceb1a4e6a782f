/** What Node makes ready only when the first port is opened, and what takes it some milliseconds then. */
import { isIPv6 } from "node:net"

/** To be called while there is nothing else to do. */
export const readyToListen = (): void => {
  // The first call prepares an expression of a thousand characters, the second turns it into machine code.
  for (let call = 0; call < 2; call++) isIPv6("::1")
  void import("node:cluster")
}
