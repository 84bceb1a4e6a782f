/** The revisions of the protocol, and what changed with them. */

export const revisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] as const
export type Revision = (typeof revisions)[number]

/** The newest that opens with a handshake, and the newest of all. */
export const latestLegacy: Revision = "2025-11-25"
export const latest: Revision = "2026-07-28"

/** What a request over HTTP that names no revision is taken to be in. */
export const assumed: Revision = "2025-03-26"

/** Legacy: with a handshake and, over HTTP, sessions. Modern: every request says all that is to be known. */
export type Era = "legacy" | "modern"

const known: ReadonlySet<string> = new Set(revisions)

export const isKnown = (text: string | undefined): text is Revision => text !== undefined && known.has(text)

/** Revisions are dates, so their order is that of their text. */
export const atLeast = (revision: string, other: Revision): boolean => revision >= other

export const eraOf = (revision: string): Era => (revision >= "2026-07-28" ? "modern" : "legacy")

/** The newest revision with a handshake that is no newer than what was asked for; the newest of all where it is unknown. */
export const negotiated = (asked: string | undefined): Revision =>
  isKnown(asked) && eraOf(asked) === "legacy" ? asked : latestLegacy
