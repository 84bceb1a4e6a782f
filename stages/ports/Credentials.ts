/**
 * Credentials of the gateway itself. Whoever provides them knows the clouds' libraries and loads one when it is first
 * asked for it; a promise that fails says why in words fit for a log.
 */
import type * as Redacted from "effect/Redacted"
import type { Json } from "effect/Schema"
import type { AzureSource, SigningAlgorithm } from "../../ir/policy/CloudAuth.ts"

export interface Token {
  readonly value: Redacted.Redacted
  /** By the wall clock. */
  readonly expiresMillis: number
}

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  readonly sessionToken?: Redacted.Redacted
  /** By the wall clock; `Infinity` where they are good until somebody takes them back. */
  readonly expiresMillis: number
}

export interface AwsRole {
  readonly roleArn: string
  readonly sessionName: string | undefined
  readonly tags: ReadonlyArray<{ readonly key: string; readonly value: string }>
}

/** A request as Signature Version 4 sees it. */
export interface AwsRequest {
  readonly method: string
  readonly authority: string
  /** As it goes on the wire. */
  readonly path: string
  /** Decoded. */
  readonly query: ReadonlyArray<readonly [name: string, value: string]>
  /** Those that are signed beside the host; names in lower case. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** The SHA-256 of the body in hexadecimal, or one of the words that stand for it. */
  readonly payload: string
}

export interface AwsScope {
  readonly region: string
  readonly service: string
  /** By the wall clock. */
  readonly atMillis: number
}

export interface AwsSigned {
  /** Name and value in turn. */
  readonly fields: ReadonlyArray<string>
  readonly signature: string
}

export interface Credentials {
  /** Of Google; `credential` is the JSON of a credential file, absent: what the environment offers. */
  readonly gcp: (
    token: { readonly _tag: "AccessToken" } | { readonly _tag: "IdToken"; readonly audience: string },
    credential: Redacted.Redacted | undefined,
  ) => Promise<Token>
  /** Of Microsoft Entra. */
  readonly azure: (source: AzureSource, scope: string) => Promise<Token>
  /** `given` stand at the beginning of the chain, `role` at its end. */
  readonly aws: (given: AwsKeys | undefined, role: AwsRole | undefined, region: string | undefined) => Promise<AwsKeys>
  /** The region that the environment or a profile names. */
  readonly awsRegion: () => Promise<string | undefined>
  readonly awsSign: (request: AwsRequest, keys: AwsKeys, scope: AwsScope) => Promise<AwsSigned>
  /** Signatures of the chunks of a body, each made over the one before it. */
  readonly awsChunks: (keys: AwsKeys, scope: AwsScope, seed: string) => (chunk: Uint8Array) => string
  /** The token of GitHub Copilot that somebody logged in with on this machine. */
  readonly copilot: () => Promise<Redacted.Redacted>
  /** A compact token (RFC 7515) over these claims. */
  readonly signJwt: (
    header: Readonly<Record<string, Json>>,
    claims: Readonly<Record<string, Json>>,
    keyPem: Redacted.Redacted,
    algorithm: SigningAlgorithm,
  ) => Promise<string>
}
