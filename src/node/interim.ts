/**
 * How many bytes of interim replies one exchange passes on. Nothing makes a server wait that goes on sending them, so a
 * client that does not read would have them kept for it without end.
 */
export const INTERIM_BYTES_MAX = 1_048_576

/** What each counts for beside its fields. */
export const INTERIM_BYTES = 64
