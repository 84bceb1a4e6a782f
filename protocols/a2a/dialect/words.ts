/** Roles and states as 0.3 spells them, and as 1.0 does. */

const roles = { user: "ROLE_USER", agent: "ROLE_AGENT" } as const

export const roleFromLegacy = (role: unknown): string =>
  role === "user" ? roles.user : role === "agent" ? roles.agent : "ROLE_UNSPECIFIED"

export const roleToLegacy = (role: unknown): string => (role === roles.user || role === 1 ? "user" : "agent")

/** By number, as protobuf has them. */
export const states = [
  "TASK_STATE_UNSPECIFIED",
  "TASK_STATE_SUBMITTED",
  "TASK_STATE_WORKING",
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
  "TASK_STATE_INPUT_REQUIRED",
  "TASK_STATE_REJECTED",
  "TASK_STATE_AUTH_REQUIRED",
] as const
export type State = (typeof states)[number]

const toLegacy = new Map<unknown, string>(
  states.map((state) => [
    state,
    state === "TASK_STATE_UNSPECIFIED" ? "unknown" : state.slice(11).toLowerCase().replace("_", "-"),
  ]),
)
const fromLegacy = new Map<unknown, State>(states.map((state) => [toLegacy.get(state), state]))

export const stateToLegacy = (state: unknown): string =>
  toLegacy.get(typeof state === "number" ? states[state] : state) ?? "unknown"

/** Agents of before 0.3 double the l. */
export const stateFromLegacy = (state: unknown): State =>
  state === "cancelled" ? "TASK_STATE_CANCELED" : (fromLegacy.get(state) ?? "TASK_STATE_UNSPECIFIED")

const terminal: ReadonlySet<unknown> = new Set<State>([
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
  "TASK_STATE_REJECTED",
])

/** Nothing more happens to the task. */
export const isTerminal = (state: unknown): boolean => terminal.has(state)

/** The task waits for somebody else. */
export const isInterrupted = (state: unknown): boolean =>
  state === "TASK_STATE_INPUT_REQUIRED" || state === "TASK_STATE_AUTH_REQUIRED"

/**
 * A reader of 0.3 stops at `final`. A task that waits for input always ends its stream; one that waits for credentials
 * may go on by itself, so its stream is left to end when it ends.
 */
export const isFinal = (state: unknown): boolean => isTerminal(state) || state === "TASK_STATE_INPUT_REQUIRED"
