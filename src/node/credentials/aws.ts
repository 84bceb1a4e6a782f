/** Amazon's own libraries: where keys come from, and Signature Version 4. */
import * as Redacted from "effect/Redacted"
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto"
import type { AwsKeys, AwsRole, Credentials } from "../../../stages/ports/Credentials.ts"

type Providers = typeof import("@aws-sdk/credential-providers")
type Identity = Awaited<ReturnType<ReturnType<Providers["fromNodeProviderChain"]>>>

/** As the signer wants a hash: keyed where it is given a key. */
class Sha256 {
  private readonly hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : bytesOf(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof data === "string" ? data : bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.hash.digest()))
  }
}

const bytesOf = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

const identityOf = (keys: AwsKeys): Identity => ({
  accessKeyId: keys.accessKeyId,
  secretAccessKey: Redacted.value(keys.secretAccessKey),
  ...(keys.sessionToken === undefined ? {} : { sessionToken: Redacted.value(keys.sessionToken) }),
})

const keysOf = (identity: Identity): AwsKeys => ({
  accessKeyId: identity.accessKeyId,
  secretAccessKey: Redacted.make(identity.secretAccessKey),
  ...(identity.sessionToken === undefined ? {} : { sessionToken: Redacted.make(identity.sessionToken) }),
  expiresMillis: identity.expiration?.getTime() ?? Infinity,
})

/** Whoever changes files of credentials wants the new ones to be used some day. */
const rereadMillis = 300_000

let providers: Promise<Providers> | undefined

export const aws: Credentials["aws"] = async (given, role, region) => {
  const { fromNodeProviderChain, fromTemporaryCredentials } = await (providers ??=
    import("@aws-sdk/credential-providers"))
  const source = given === undefined ? fromNodeProviderChain() : async () => identityOf(given)
  const keys = keysOf(await (role === undefined ? source() : assumed(fromTemporaryCredentials, source, role, region)()))
  return keys.expiresMillis === Infinity && given === undefined
    ? { ...keys, expiresMillis: Date.now() + rereadMillis }
    : keys
}

const assumed = (
  fromTemporaryCredentials: Providers["fromTemporaryCredentials"],
  source: () => Promise<Identity>,
  { roleArn, sessionName, tags }: AwsRole,
  region: string | undefined,
) =>
  fromTemporaryCredentials({
    masterCredentials: source,
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName ?? "sluice",
      ...(tags.length === 0 ? {} : { Tags: tags.map(({ key, value }) => ({ Key: key, Value: value })) }),
    },
    ...(region === undefined ? {} : { clientConfig: { region } }),
  })

export const awsRegion: Credentials["awsRegion"] = async () => {
  const named = process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"]
  if (named !== undefined && named !== "") return named
  const { loadSharedConfigFiles, getProfileName } = await import("@smithy/core/config")
  const { configFile, credentialsFile } = await loadSharedConfigFiles()
  const profile = getProfileName({})
  return credentialsFile[profile]?.["region"] ?? configFile[profile]?.["region"]
}

let signer: Promise<typeof import("@smithy/signature-v4")> | undefined

export const awsSign: Credentials["awsSign"] = async (request, keys, { atMillis, region, service }) => {
  const { SignatureV4 } = await (signer ??= import("@smithy/signature-v4"))
  const signing = new SignatureV4({
    credentials: identityOf(keys),
    region,
    service,
    sha256: Sha256,
    // Only Amazon S3 takes a path as it is written; names of objects may hold whatever they like.
    uriEscapePath: service !== "s3",
  })
  const headers: Record<string, string> = { host: request.authority, "x-amz-content-sha256": request.payload }
  for (const [name, value] of request.headers) {
    const before = headers[name]
    headers[name] = before === undefined ? value : `${before},${value}`
  }
  const query: Record<string, Array<string>> = Object.create(null)
  for (const [name, value] of request.query) (query[name] ??= []).push(value)
  const signed = await signing.sign(
    { method: request.method, protocol: "https:", hostname: request.authority, path: request.path, query, headers },
    { signingDate: new Date(atMillis) },
  )
  const fields: Array<string> = []
  for (const name of ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]) {
    const value = signed.headers[name]
    if (value !== undefined) fields.push(name, value)
  }
  return { fields, signature: /Signature=([0-9a-f]{64})/.exec(signed.headers["authorization"] ?? "")?.[1] ?? "" }
}

const hmac = (key: string | Uint8Array, text: string): Uint8Array => createHmac("sha256", key).update(text).digest()
const hashed = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export const awsChunks: Credentials["awsChunks"] = (keys, { atMillis, region, service }, seed) => {
  const time = new Date(atMillis).toISOString().replace(/[-:]|\.\d+/g, "")
  const day = time.slice(0, 8)
  const dayKey = hmac(`AWS4${Redacted.value(keys.secretAccessKey)}`, day)
  const key = hmac(hmac(hmac(dayKey, region), service), "aws4_request")
  const empty = hashed(new Uint8Array(0))
  let previous = seed
  return (chunk) => {
    const scope = `${day}/${region}/${service}/aws4_request`
    const text = ["AWS4-HMAC-SHA256-PAYLOAD", time, scope, previous, empty, hashed(chunk)].join("\n")
    previous = createHmac("sha256", key).update(text).digest("hex")
    return previous
  }
}
