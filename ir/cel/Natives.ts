/** What expressions need from the outside; the host gives it, so that this folder stays pure. */
export interface RegexMatch {
  readonly index: number
  readonly end: number
  /** The whole match first; a group that took no part is undefined. */
  readonly groups: ReadonlyArray<string | undefined>
  readonly named?: Readonly<Record<string, string | undefined>> | undefined
}

/** A compiled pattern whose matching time is linear in the text. */
export interface Regex {
  /** Longer texts are not looked at; asking about one is an error of the expression. */
  readonly textLengthMax: number
  /** Whether it is found anywhere in the text. */
  readonly test: (text: string) => boolean
  /** The first match that begins at `from` or after it. */
  readonly exec: (text: string, from: number) => RegexMatch | undefined
}

export interface Natives {
  /** The pattern, or what is wrong with it. */
  readonly compileRegex: (pattern: string) => Regex | string
  /** In [0, 1). */
  readonly random: () => number
  readonly uuid: () => string
  readonly sha1: (bytes: Uint8Array) => Uint8Array
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  readonly md5: (bytes: Uint8Array) => Uint8Array
}
