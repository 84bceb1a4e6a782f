/** Texts that only we can have written, given to clients and read again when they bring them back. */

export interface Sealer {
  /** Encrypted and authenticated, in letters that fit into a header or a URL. What is sealed for one purpose opens for no other. */
  readonly seal: (text: string, purpose: string) => string
  /** Undefined: we did not seal it, or not for this. */
  readonly open: (sealed: string, purpose: string) => string | undefined
  /** What everything sealed begins with. */
  readonly mark: string
  /** A name nobody can guess. */
  readonly secret: () => string
  /** Tells texts apart without telling them. */
  readonly digest: (text: string) => string
}
