/** Connections to upstreams as they are made in this thread, for whoever counts them. */
import { channel } from "node:diagnostics_channel"

export interface Connected {
  readonly transport: "plaintext" | "tls"
  /** How long it took until it could be used. */
  readonly millis: number
}

/** Of the thread, not of one gateway: connections are made below all of them. */
export const connects = channel("sluice.upstream.connected")
