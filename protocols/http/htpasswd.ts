/** Files of user names and hashed passwords, one `user:hash` a line. */

export interface HtpasswdProblem {
  /** Counted from 1. */
  readonly line: number
  readonly message: string
}

export interface Htpasswd {
  /** Hash by user. */
  readonly users: ReadonlyMap<string, string>
  readonly problems: ReadonlyArray<HtpasswdProblem>
}

/** A check of a costlier hash would take longer than anybody waits: each step more takes twice the time. */
const BCRYPT_COST_MAX = 16

const bcrypt = /^\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const apr1 = /^\$apr1\$[^$:]{1,8}\$[./A-Za-z0-9]{22}$/
const sha = /^\{SHA\}[A-Za-z0-9+/]{27}=$/

const others: ReadonlyArray<readonly [pattern: RegExp, name: string]> = [
  [/^\$2[abxy]?\$/, "a bcrypt hash that is not complete"],
  [/^\$apr1\$/, "an APR1 hash that is not complete"],
  [/^\{SHA\}/i, "a {SHA} hash that is not complete"],
  [/^\$1\$/, "an MD5 hash of Unix crypt"],
  [/^\$5\$/, "a SHA-256 hash of Unix crypt"],
  [/^\$6\$/, "a SHA-512 hash of Unix crypt"],
  [/^\$(?:y|gy|7)\$/, "a yescrypt or scrypt hash of Unix crypt"],
  [/^\$argon2/, "an Argon2 hash"],
  [/^\{[A-Za-z0-9]+\}/, "a hash of a directory server"],
  [/^[./A-Za-z0-9]{13}$/, "a DES hash of Unix crypt, or a password in plain text"],
]

/** Undefined: it can be checked. */
const unusable = (hash: string): string | undefined => {
  const cost = bcrypt.exec(hash)?.[1]
  if (cost !== undefined) {
    if (Number(cost) < 4) return "a bcrypt hash with a cost below 4"
    return Number(cost) > BCRYPT_COST_MAX ? `a bcrypt hash with a cost above ${BCRYPT_COST_MAX}` : undefined
  }
  if (apr1.test(hash) || sha.test(hash)) return undefined
  return others.find(([pattern]) => pattern.test(hash))?.[1] ?? "no hash that is known"
}

/** Empty lines and comments are skipped; whatever else is no user with a hash that can be checked is a problem. */
export const parse = (text: string): Htpasswd => {
  const users = new Map<string, string>()
  const problems: Array<HtpasswdProblem> = []
  for (const [i, written] of text.split("\n").entries()) {
    const line = written.trim()
    if (line === "" || line.startsWith("#")) continue
    const colon = line.indexOf(":")
    const user = line.slice(0, Math.max(colon, 0))
    const hash = line.slice(colon + 1)
    const problem =
      colon <= 0
        ? "expected `user:hash`"
        : users.has(user)
          ? `the user ${JSON.stringify(user)} is there already`
          : unusable(hash)
    if (problem === undefined) users.set(user, hash)
    else problems.push({ line: i + 1, message: problem })
  }
  return { users, problems }
}
