/** Probes of idle connections, from clients and to backends. */
import * as Schema from "effect/Schema"
import * as Defaults from "../../../../ir/defaults.ts"
import type { Keepalive as IrKeepalive } from "../../../../ir/policy/Keepalive.ts"
import { Count, Millis, opt } from "../grammar.ts"

export const Keepalive = Schema.Struct({
  enabled: opt(Schema.Boolean),
  time: opt(Millis, "Idle time before the first probe; 3m unless set."),
  interval: opt(Millis, "Time between probes; 3m unless set."),
  retries: opt(Count, "Probes left unanswered before the connection is given up; 9 unless set."),
})
export type Keepalive = typeof Keepalive.Type

export const keepalive = (one: Keepalive): IrKeepalive => ({
  enabled: one.enabled ?? Defaults.keepalive.enabled,
  timeMillis: one.time ?? Defaults.keepalive.timeMillis,
  intervalMillis: one.interval ?? Defaults.keepalive.intervalMillis,
  retries: one.retries ?? Defaults.keepalive.retries,
})
