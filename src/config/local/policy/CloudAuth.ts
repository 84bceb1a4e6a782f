/** Credentials of the gateway itself: those that need no call described by configuration. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { AwsRole, AzureSource, OwnAuth as IrOwnAuth } from "../../../../ir/policy/CloudAuth.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileOrInline, secret } from "../FileOrInline.ts"
import { anyCase, atMostOne, Cel, exactlyOne, Millis, Nothing, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { insertable, Location } from "./CredentialLocation.ts"
import { checkSigningKey, signingAlgorithm } from "./signingKey.ts"

const Computed = Schema.Union([Schema.NonEmptyString, Schema.Struct({ expression: Cel })])

export const ownAuth = {
  passthrough: opt(Schema.Struct({ location: opt(Location) }), "Send on the token that was checked."),
  key: opt(
    Schema.Union([
      Schema.String,
      Schema.Struct({ file: Schema.NonEmptyString }),
      Schema.Struct({ value: FileOrInline, location: opt(Location) }),
    ]),
    "Send a fixed key.",
  ),
  gcp: opt(
    Schema.Struct({
      type: opt(anyCase(["accessToken", "idToken"])),
      audience: opt(Schema.NonEmptyString),
      credential: opt(FileOrInline),
    }),
  ),
  aws: opt(
    Schema.Struct({
      accessKeyId: opt(Schema.NonEmptyString),
      secretAccessKey: opt(Schema.NonEmptyString),
      sessionToken: opt(Schema.NonEmptyString),
      region: opt(Schema.NonEmptyString),
      serviceName: opt(Schema.NonEmptyString),
      assumeRole: opt(
        Schema.Struct({
          roleArn: Schema.NonEmptyString,
          sessionName: opt(Computed),
          tags: opt(
            Schema.Array(
              exactlyOne(
                Schema.Struct({ key: Schema.NonEmptyString, value: opt(Schema.NonEmptyString), expression: opt(Cel) }),
                ["value", "expression"],
              ),
            ),
          ),
        }),
      ),
    }).check(
      Schema.makeFilter((aws) =>
        (aws.accessKeyId === undefined) !== (aws.secretAccessKey === undefined)
          ? "`accessKeyId` and `secretAccessKey` are set together"
          : undefined,
      ),
    ),
  ),
  azure: opt(
    exactlyOne(
      Schema.Struct({
        explicitConfig: opt(
          exactlyOne(
            Schema.Struct({
              clientSecret: opt(
                Schema.Struct({
                  tenant_id: Schema.NonEmptyString,
                  client_id: Schema.NonEmptyString,
                  client_secret: Schema.NonEmptyString,
                }),
              ),
              managedIdentity: opt(
                Schema.Struct({
                  userAssignedIdentity: opt(
                    exactlyOne(
                      Schema.Struct({
                        clientId: opt(Schema.NonEmptyString),
                        objectId: opt(Schema.NonEmptyString),
                        resourceId: opt(Schema.NonEmptyString),
                      }),
                      ["clientId", "objectId", "resourceId"],
                    ),
                  ),
                }),
              ),
              workloadIdentity: opt(Nothing),
            }),
            ["clientSecret", "managedIdentity", "workloadIdentity"],
          ),
        ),
        developerImplicit: opt(Nothing),
        implicit: opt(Nothing),
      }),
      ["explicitConfig", "developerImplicit", "implicit"],
    ),
  ),
  copilot: opt(Nothing),
  jwtSign: opt(
    Schema.Struct({
      signingKey: FileOrInline,
      alg: opt(signingAlgorithm),
      kid: opt(Schema.NonEmptyString),
      claims: opt(Schema.Record(Schema.String, Schema.Json)),
      ttl: opt(Millis),
      location: opt(Location),
    }),
  ),
  credentials: opt(Schema.Array(Schema.Struct({ location: Location, key: FileOrInline }))),
  headers: opt(
    Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, value: FileOrInline, prefix: opt(Schema.String) })),
    "An older way to say `credentials` that go into headers.",
  ),
}

export const ownKinds = ["passthrough", "key", "gcp", "aws", "azure", "copilot", "jwtSign"]

export const copilotWord = anyCase(["copilot"])

const ownAuthShape = Schema.Union([copilotWord, atMostOne(Schema.Struct(ownAuth), ownKinds)])
export interface OwnAuthSchema extends Named<typeof ownAuthShape> {}
export const OwnAuth: OwnAuthSchema = ownAuthShape
export type OwnAuth = typeof OwnAuth.Type

export const fixedKey = (
  key: NonNullable<Exclude<OwnAuth, string>["key"]>,
  path: Path,
  to: Mapping,
): Extract<IrOwnAuth, { _tag: "Key" }> | undefined => {
  const placed = typeof key === "object" && "value" in key
  const value = placed ? secret(key.value, [...path, "value"], to) : secret(key, path, to)
  const at = insertable(placed ? key.location : undefined, [...path, "location"], to)
  return value === undefined ? undefined : { _tag: "Key", value, location: at }
}

type Computable = string | { readonly expression: Expression }

const text = (value: Computable) =>
  typeof value === "string"
    ? ({ _tag: "Fixed", value } as const)
    : ({ _tag: "Computed", expression: value.expression } as const)

const awsRole = (role: NonNullable<NonNullable<Exclude<OwnAuth, string>["aws"]>["assumeRole"]>): AwsRole => ({
  roleArn: role.roleArn,
  ...present({ sessionName: role.sessionName === undefined ? undefined : text(role.sessionName) }),
  tags: (role.tags ?? []).map(({ expression, key, value }) => ({
    key,
    value: expression === undefined ? text(value ?? "") : text({ expression }),
  })),
})

const sessionName = /^[\w+=,.@-]{2,64}$/
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** What the token service of AWS would refuse whatever the request is. */
const checkRole = ({ roleArn, sessionName: name, tags }: AwsRole, path: Path, to: Mapping): void => {
  if (!/^arn:[\w-]+:iam::\d{12}:role\/.+$/.test(roleArn)) {
    to.fail([...path, "roleArn"], "expected `arn:aws:iam::ACCOUNT:role/NAME`")
  }
  if (name?._tag === "Fixed" && !sessionName.test(name.value)) {
    to.fail([...path, "sessionName"], "expected 2 to 64 letters, digits and `+=,.@-_`")
  }
  if (tags.length > 50) to.fail([...path, "tags"], "a session has 50 tags at most")
  const keys = new Set<string>()
  for (const [i, { key, value }] of tags.entries()) {
    if (keys.has(key)) to.fail([...path, "tags", i, "key"], `two tags are called ${JSON.stringify(key)}`)
    keys.add(key)
    if (key.length > 128 || !tagText.test(key)) {
      to.fail([...path, "tags", i, "key"], "expected at most 128 letters, digits, spaces and `_.:/=+-@`")
    }
    if (value._tag === "Fixed" && (value.value.length > 256 || !tagText.test(value.value))) {
      to.fail([...path, "tags", i, "value"], "expected at most 256 letters, digits, spaces and `_.:/=+-@`")
    }
  }
}

const gcpKinds = [
  "authorized_user",
  "service_account",
  "impersonated_service_account",
  "external_account",
  "external_account_authorized_user",
  "gdch_service_account",
]

const checkGcp = (text: string, isIdToken: boolean, path: Path, to: Mapping): void => {
  let type: unknown
  try {
    type = (JSON.parse(text) as { readonly type?: unknown } | null)?.type
  } catch {
    to.fail(path, "the credential is not JSON")
    return
  }
  if (typeof type !== "string" || !gcpKinds.includes(type)) {
    to.fail(path, `the \`type\` of the credential is none of ${gcpKinds.map((one) => `\`${one}\``).join(", ")}`)
  } else if (type === "gdch_service_account" && !isIdToken) {
    to.fail(path, "a `gdch_service_account` gives identity tokens only", "Set `type: idToken` and an `audience`.")
  }
}

const azureSource = (azure: NonNullable<Exclude<OwnAuth, string>["azure"]>): AzureSource => {
  const { clientSecret, managedIdentity } = azure.explicitConfig ?? {}
  if (clientSecret !== undefined) {
    return {
      _tag: "ClientSecret",
      tenantId: clientSecret.tenant_id,
      clientId: clientSecret.client_id,
      clientSecret: Redacted.make(clientSecret.client_secret),
    }
  }
  if (managedIdentity !== undefined) {
    const [assigned] = Object.entries(managedIdentity.userAssignedIdentity ?? {})
    const userAssigned =
      assigned === undefined
        ? undefined
        : { by: assigned[0] as "clientId" | "objectId" | "resourceId", id: assigned[1] }
    return { _tag: "ManagedIdentity", ...present({ userAssigned }) }
  }
  if (azure.explicitConfig !== undefined) return { _tag: "WorkloadIdentity" }
  return azure.developerImplicit === undefined ? { _tag: "Implicit" } : { _tag: "DeveloperImplicit" }
}

const jwtSign = (
  sign: NonNullable<Exclude<OwnAuth, string>["jwtSign"]>,
  path: Path,
  to: Mapping,
): Extract<IrOwnAuth, { _tag: "JwtSign" }> | undefined => {
  const key = secret(sign.signingKey, [...path, "signingKey"], to)
  for (const reserved of ["iat", "exp", "nbf"]) {
    if (sign.claims !== undefined && Object.hasOwn(sign.claims, reserved)) {
      to.fail([...path, "claims", reserved], `the claim \`${reserved}\` is set by the gateway`)
    }
  }
  const lifetimeMillis = sign.ttl ?? defaults.jwtSignLifetimeMillis
  if (lifetimeMillis < 1000) to.fail([...path, "ttl"], "a token lives one second at least")
  const algorithm = sign.alg ?? defaults.jwtSignAlgorithm
  if (key !== undefined) checkSigningKey(Redacted.value(key), algorithm, [...path, "signingKey"], to)
  return key === undefined
    ? undefined
    : {
        _tag: "JwtSign",
        signingKeyPem: key,
        algorithm,
        ...present({ kid: sign.kid }),
        claims: sign.claims ?? {},
        lifetimeMillis,
        location: insertable(sign.location, [...path, "location"], to),
      }
}

export const ownKind = (auth: OwnAuth, path: Path, to: Mapping): IrOwnAuth | undefined => {
  if (typeof auth === "string" || auth.copilot !== undefined) return { _tag: "Copilot" }
  if (auth.passthrough !== undefined) {
    const at = insertable(auth.passthrough.location, [...path, "passthrough", "location"], to)
    return { _tag: "Passthrough", location: at }
  }
  if (auth.key !== undefined) return fixedKey(auth.key, [...path, "key"], to)
  if (auth.gcp !== undefined) {
    const { audience, credential, type = "accessToken" } = auth.gcp
    if (type === "accessToken" && audience !== undefined)
      to.fail([...path, "gcp", "audience"], "only id tokens have an audience")
    const found = credential === undefined ? undefined : secret(credential, [...path, "gcp", "credential"], to)
    if (credential !== undefined && found === undefined) return undefined
    if (found !== undefined) checkGcp(Redacted.value(found), type === "idToken", [...path, "gcp", "credential"], to)
    return {
      _tag: "Gcp",
      token: type === "accessToken" ? { _tag: "AccessToken" } : { _tag: "IdToken", ...present({ audience }) },
      ...present({ credential: found }),
    }
  }
  if (auth.aws !== undefined) {
    const { accessKeyId, assumeRole, region, secretAccessKey, serviceName, sessionToken } = auth.aws
    const credentials =
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : {
            accessKeyId,
            secretAccessKey: Redacted.make(secretAccessKey),
            ...present({ sessionToken: sessionToken === undefined ? undefined : Redacted.make(sessionToken) }),
          }
    const role = assumeRole === undefined ? undefined : awsRole(assumeRole)
    if (role !== undefined) checkRole(role, [...path, "aws", "assumeRole"], to)
    return { _tag: "Aws", ...present({ credentials, region, serviceName, assumeRole: role }) }
  }
  if (auth.azure !== undefined) return { _tag: "Azure", source: azureSource(auth.azure) }
  if (auth.jwtSign !== undefined) return jwtSign(auth.jwtSign, [...path, "jwtSign"], to)
  return undefined
}

export const extraCredentials = (auth: OwnAuth, path: Path, to: Mapping) =>
  typeof auth === "string"
    ? []
    : [
        ...(auth.credentials ?? []).flatMap((one, i) => {
          const value = secret(one.key, [...path, "credentials", i, "key"], to)
          const at = insertable(one.location, [...path, "credentials", i, "location"], to)
          return value === undefined ? [] : [{ location: at, value }]
        }),
        ...(auth.headers ?? []).flatMap(({ name, prefix, value: source }, i) => {
          const value = secret(source, [...path, "headers", i, "value"], to)
          const header = { name, ...present({ prefix }) }
          const at = insertable({ header }, [...path, "headers", i], to)
          return value === undefined ? [] : [{ location: at, value }]
        }),
      ]
