/** Which sides of which methods somebody wants to look at. */

export type Phase = "off" | "request" | "response" | "full"

/** How closely a pattern fits: exactly, by its beginning, by its end, or as everything does; longer ones more closely. */
const rank = (pattern: string, method: string): number => {
  if (pattern === method) return Number.MAX_SAFE_INTEGER
  if (pattern === "*") return 0
  const length = pattern.length
  if (pattern.endsWith("*") && method.startsWith(pattern.slice(0, -1))) return 2_000_000 + length
  if (pattern.startsWith("*") && method.endsWith(pattern.slice(1))) return 1_000_000 + length
  return -1
}

/** What the closest pattern says; where none fits, nobody looks. */
export const phaseOf = (methods: Readonly<Record<string, Phase>>, method: string): Phase => {
  let best = -1
  let phase: Phase = "off"
  for (const [pattern, one] of Object.entries(methods)) {
    const found = rank(pattern, method)
    if (found > best) {
      best = found
      phase = one
    }
  }
  return phase
}

/** Methods that a guard is asked about. */
const guardedMethods: ReadonlyArray<string> = [
  "initialize",
  "server/discover",
  "tools/list",
  "tools/call",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "tasks/get",
  "tasks/update",
  "tasks/cancel",
]

/** Whether a pattern can fit any of them. */
export const isOfUse = (pattern: string): boolean => guardedMethods.some((method) => rank(pattern, method) >= 0)
