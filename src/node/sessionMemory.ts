/**
 * How many megabytes Node may count for a session of HTTP/2 before it refuses streams and fields. What a stream had
 * queued when it was reset is never taken off that count, so that any usual limit would be reached by downloads given up
 * one after the other. What a session really holds is bounded by its streams, their windows and their heads.
 */
export const SESSION_MEGABYTES_MAX = 2 ** 20

/** How large heads are sent on: whatever was taken in, since a head that Node finds too large ends the whole connection. */
export const SENT_HEAD_BYTES_MAX = 2 ** 20
