/**
 * Signs requests to Amazon (Signature Version 4). The keys are found before the request goes its way; the signature is
 * made at the very end, because it covers the host, some header fields and the body as they are sent.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { toBase64, toText } from "../../../ir/cel/toJson.ts"
import type { AwsRole, OwnAuth } from "../../../ir/policy/CloudAuth.ts"
import { isIpv4 } from "../../../protocols/net/ip.ts"
import * as Body from "../../Body.ts"
import type { Attempt, Request, Seal } from "../../Exchange.ts"
import type { Cryptography } from "../../ports/Cryptography.ts"
import type { AwsKeys, AwsRole as AssumedRole, AwsScope, AwsSigned } from "../../ports/Credentials.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Expression } from "../expression/Expressions.ts"
import { expressionsOf } from "../expression/expressionsOf.ts"
import { Facts } from "../expression/Facts.ts"
import { pass, type Verdict } from "../Step.ts"
import type { PolicyPorts } from "../steps.ts"
import { chunked, chunkedLength } from "./awsChunked.ts"
import { asked, failed, reasonOf, type Wallet } from "./Wallet.ts"

const DEFAULT_SERVICE = "bedrock"

const unsignedPayload = "UNSIGNED-PAYLOAD"
const chunkedPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

/** What else is signed of the header. */
const isSigned = (name: string): boolean =>
  name === "content-type" || name.startsWith("x-amz-") || name.startsWith("x-amzn-")

/** What a client may have sent along of another signature. */
const replaced = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]

const decoded = (text: string): string => {
  const spaced = text.replaceAll("+", " ")
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

const decodeQuery = (query: string | undefined): ReadonlyArray<readonly [string, string]> =>
  query === undefined || query === ""
    ? []
    : query.split("&").map((pair) => {
        const equals = pair.indexOf("=")
        return equals < 0 ? [decoded(pair), ""] : [decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1))]
      })

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** Written as it is signed, so that no reader can take it for another. */
const encodeQuery = (pairs: ReadonlyArray<readonly [string, string]>): string | undefined =>
  pairs.length === 0 ? undefined : pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&")

/** The region in the name of an endpoint, where it has one. */
const regionIn = (host: string): string | undefined =>
  /(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/.exec(host)?.[1]

type Computed<A> = (attempt: Attempt) => A | undefined

const sessionNamePattern = /^[\w+=,.@-]{2,64}$/
/** Letters, digits and white space of any script, and a few signs. */
const tagPattern = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

const isSessionName = (text: string): boolean => sessionNamePattern.test(text)
const isTagValue = (text: string): boolean => text.length <= 256 && tagPattern.test(text)

const asText = (value: CelValue): string | undefined =>
  value instanceof Uint8Array
    ? toBase64(value)
    : value === null || typeof value === "object"
      ? undefined
      : toText(value)

type Text = NonNullable<AwsRole["sessionName"]>

export const textOf = (text: Text, ports: PolicyPorts, isValid: (text: string) => boolean): Computed<string> => {
  if (text._tag === "Fixed") return () => text.value
  const expressions = expressionsOf(ports)
  const expression: Expression = expressions.compile(text.expression, "backend", "awsTag")
  return (attempt) => {
    const found = expression.as(Facts.of(expressions.around, attempt), asText)
    return found !== undefined && isValid(found) ? found : undefined
  }
}

const roleOf = (role: AwsRole, ports: PolicyPorts): Computed<AssumedRole> => {
  const { roleArn } = role
  const name = role.sessionName === undefined ? undefined : textOf(role.sessionName, ports, isSessionName)
  const tags = role.tags.map(({ key, value }) => ({ key, valueOf: textOf(value, ports, isTagValue) }))
  return (attempt) => {
    const sessionName = name?.(attempt)
    if (name !== undefined && sessionName === undefined) return undefined
    const computed: Array<{ readonly key: string; readonly value: string }> = []
    for (const { key, valueOf } of tags) {
      const value = valueOf(attempt)
      if (value === undefined) return undefined
      computed.push({ key, value })
    }
    return { roleArn, sessionName, tags: computed }
  }
}

const noRegion = failed("no region of AWS is known: set `region`, or AWS_REGION in the environment")
const badRole: Effect.Effect<Verdict, Refusal> = Effect.fail(failed("the session of a role cannot be named or tagged"))

const hostOf = (authority: string): string => authority.replace(/:\d+$/, "")

export const compile = (
  policy: Extract<OwnAuth, { readonly _tag: "Aws" }>,
  ports: PolicyPorts,
  wallet: Wallet,
  { sha256 }: Cryptography,
): ((attempt: Attempt) => Effect.Effect<Verdict, Refusal>) => {
  const { credentials, awsKeys } = wallet
  const { clock } = ports
  const about = ports.backend?.aws
  const service = policy.serviceName ?? about?.service ?? DEFAULT_SERVICE
  const fixedRegion = policy.region ?? about?.region
  let environmentRegion: Promise<string | undefined> | undefined
  const given: AwsKeys | undefined =
    policy.credentials === undefined ? undefined : { ...policy.credentials, expiresMillis: Infinity }
  const givenKey =
    given === undefined
      ? "environment"
      : sha256(
          JSON.stringify([
            given.accessKeyId,
            Redacted.value(given.secretAccessKey),
            given.sessionToken === undefined ? "" : Redacted.value(given.sessionToken),
          ]),
        )
  const role = policy.assumeRole === undefined ? undefined : roleOf(policy.assumeRole, ports)
  const sealing = { service, maxBodyBytes: ports.maxBufferBytes, sha256 }

  const keysOf = (assumed: AssumedRole | undefined): Effect.Effect<AwsKeys, Refusal> => {
    if (given !== undefined && assumed === undefined) return Effect.succeed(given)
    const key = JSON.stringify([givenKey, fixedRegion ?? "", assumed ?? ""])
    return awsKeys.get(
      key,
      asked(assumed === undefined ? "credentials of AWS" : "credentials of the role", () =>
        credentials.aws(given, assumed, fixedRegion),
      ),
    )
  }
  const known = fixedRegion === undefined ? undefined : Effect.succeed(fixedRegion)
  const regionOf = (host: string): Effect.Effect<string | undefined> =>
    known ??
    Effect.promise(
      async () =>
        (await (environmentRegion ??= credentials.awsRegion().catch(() => undefined))) ??
        (isIpv4(host) ? undefined : regionIn(host)),
    )

  const seal =
    (keys: AwsKeys): Seal =>
    (request, endpoint) =>
      Effect.flatMap(regionOf(hostOf(request.authority)), (region) => {
        if (region === undefined) return Effect.fail(noRegion)
        const scope: AwsScope = { region, service, atMillis: clock.wallMillis() }
        return Effect.flatMap(payloadOf(request, endpoint.spec.tls !== undefined, sealing), (prepared) =>
          Effect.map(
            Effect.tryPromise({
              try: () =>
                credentials.awsSign(
                  {
                    method: prepared.request.method,
                    authority: prepared.request.authority,
                    path: prepared.request.path,
                    query: prepared.query,
                    headers: [...prepared.request.headers].filter(([name]) => isSigned(name)),
                    payload: prepared.payload,
                  },
                  keys,
                  scope,
                ),
              catch: (error) => failed(reasonOf(error)),
            }),
            (signed) => written(prepared, signed, (seed) => credentials.awsChunks(keys, scope, seed)),
          ),
        )
      })

  return (attempt) => {
    const assumed = role?.(attempt)
    if (role !== undefined && assumed === undefined) return badRole
    return Effect.flatMap(keysOf(assumed), (keys) => {
      attempt.seal = seal(keys)
      return pass
    })
  }
}

interface Prepared {
  /** A copy of its own. */
  readonly request: Request
  readonly query: ReadonlyArray<readonly [string, string]>
  readonly payload: string
  /** Present where the body goes out in signed chunks. */
  readonly flow: (Body.Flow & { readonly length: number }) | undefined
}

const hasLength = (body: Body.Body): body is Body.Flow & { readonly length: number } =>
  body._tag === "Flow" && body.length !== undefined

const payloadOf = (
  original: Request,
  isSealed: boolean,
  {
    maxBodyBytes,
    service,
    sha256,
  }: { readonly service: string; readonly maxBodyBytes: number; readonly sha256: Cryptography["sha256"] },
): Effect.Effect<Prepared, Refusal> => {
  const request = original.copy()
  for (const name of replaced) request.headers.remove(name)
  const query = decodeQuery(request.query)
  request.query = encodeQuery(query)
  const { body } = request
  const prepared = (payload: string, flow?: Prepared["flow"]): Prepared => ({ request, query, payload, flow })
  if (body._tag === "Flow") {
    // Objects may be larger than what may be kept, and their store is the one that takes them without.
    if (service === "s3" && isSealed) return Effect.succeed(prepared(unsignedPayload))
    if (service === "s3" && hasLength(body)) {
      const { headers } = request
      const coding = headers.get("content-encoding")
      headers.set("content-encoding", coding === undefined ? "aws-chunked" : `aws-chunked,${coding}`)
      headers.set("x-amz-decoded-content-length", String(body.length))
      headers.set("content-length", String(chunkedLength(body.length)))
      return Effect.succeed(prepared(chunkedPayload, body))
    }
    return Effect.flatMap(
      Effect.mapError(Body.collect(body, maxBodyBytes), (failure): Refusal =>
        failure.reason === "stalled"
          ? { _tag: "RequestBodyTimeout" }
          : failure.reason === "tooLarge"
            ? { _tag: "RequestBodyTooLarge" }
            : { _tag: "InvalidRequest", detail: failure.message },
      ),
      (collected): Effect.Effect<Prepared, Refusal> => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return Effect.fail({ _tag: "RequestBodyTooLarge" })
        }
        request.body = Body.bytes(collected.bytes)
        return Effect.succeed(prepared(sha256(collected.bytes)))
      },
    )
  }
  return Effect.succeed(prepared(sha256(body._tag === "Bytes" ? body.bytes : "")))
}

const written = (
  { flow, request }: Prepared,
  { fields, signature }: AwsSigned,
  chunks: (seed: string) => (chunk: Uint8Array) => string,
): Request => {
  for (let i = 0; i < fields.length; i += 2) request.headers.set(fields[i] as string, fields[i + 1] as string)
  if (flow !== undefined) request.body = chunked(flow, flow.length, chunks(signature))
  return request
}
