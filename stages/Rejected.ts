/** A connection that ends before it carries an exchange: no bytes are answered, the journal is told why. */
export interface Rejected {
  readonly _tag: "Rejected"
  /** The stage that rejected it. */
  readonly stage: string
  readonly reason: string
}

export const rejected = (stage: string, reason: string): Rejected => ({ _tag: "Rejected", stage, reason })
