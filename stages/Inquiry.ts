/** Somebody wants to know why an exchange went as it did; every stage tells what it read, decided and took. */

export interface Note {
  /** The name of the stage or policy kind. */
  readonly stage: string
  readonly decision: string
  readonly detail?: unknown
}

export interface Inquiry {
  readonly note: (note: Note) => void
}
