/** Computations on secrets: pure, but the business of libraries that the pipeline does not load itself. */
import type * as Redacted from "effect/Redacted"
import type { Jwk } from "../../protocols/jose/jwks.ts"

export interface Cryptography {
  /** SHA-256 of a text or of bytes, in hexadecimal; at once. */
  readonly sha256: (data: string | Uint8Array) => string
  /** The same in base64url. */
  readonly digest: (data: string | Uint8Array) => string
  /** So many bytes that nobody can guess, in base64url. */
  readonly random: (bytes: number) => string
  /** Makes a text unreadable and unchangeable for whoever has not the key, of 32 bytes in hexadecimal. */
  readonly seal: (key: Redacted.Redacted, text: string, context: string) => string
  /** Undefined where it was not sealed with that key in that context. */
  readonly open: (key: Redacted.Redacted, sealed: string, context: string) => string | undefined
  /** Compares in a time that says nothing of where two texts differ. */
  readonly equal: (a: string, b: string) => boolean
  /** Whether a password is the one that was hashed; takes its time elsewhere. */
  readonly verifyPassword: (password: string, hash: string) => Promise<boolean>
  /** Whether a compact token was signed with a key by that very algorithm. */
  readonly verifySignature: (token: string, jwk: Jwk, algorithm: string) => Promise<boolean>
  /**
   * Signs with a private key, given as PEM (PKCS #8) or as a JWK; a text says why the key cannot be used. Without a name
   * the key goes by its thumbprint (RFC 7638).
   */
  readonly signer: (key: Redacted.Redacted, keyId: string | undefined) => Promise<Signer | string>
}

export interface Signer {
  /** The public half, as it may be published. */
  readonly jwk: { readonly [name: string]: unknown }
  /** A signature beside its payload; the algorithm and the name of the key are added to the head. */
  readonly sign: (
    payload: string,
    head: { readonly [name: string]: string },
  ) => Promise<{ readonly protected: string; readonly signature: string }>
}
