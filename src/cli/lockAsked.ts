/** What `sluice lock` can be asked. */
export const lockActions = ["list", "diff", "approve", "check"] as const

export interface LockAsked {
  readonly action: (typeof lockActions)[number]
  readonly server: string | undefined
  readonly kind: string | undefined
  readonly name: string | undefined
  readonly hash: string | undefined
  /** A lock file to be checked by itself. */
  readonly file: string | undefined
  readonly all: boolean
  readonly admin: string | undefined
  readonly json: boolean
}
