/** Timers of Node hold 31 bits and fire at once for more: what may take longer than 24 days is ended after 24 days. */
const TIMER_MILLIS_MAX = 2 ** 31 - 1

export const timerMillis = (millis: number): number => Math.min(millis, TIMER_MILLIS_MAX)

/** The most that Linux takes; beyond it there would be no probes at all. */
const PROBE_MILLIS_MAX = 32_767_000
export const PROBES_MAX = 127

export const probeMillis = (millis: number): number => Math.min(millis, PROBE_MILLIS_MAX)
