/**
 * Shows a backend who is calling: what the configuration says, what a cloud gives the gateway, or what the client's own
 * token is good for elsewhere. Without the credential that was asked for, nothing is sent.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Json } from "effect/Schema"
import { defaults } from "../../ir/defaults.ts"
import type { BackendAuth, BackendAuthKind } from "../../ir/policy/BackendAuth.ts"
import type { AzureSource, OwnAuth } from "../../ir/policy/CloudAuth.ts"
import type { CredentialLocation } from "../../ir/policy/CredentialLocation.ts"
import { isIpv4, isIpv6 } from "../../protocols/net/ip.ts"
import type { Attempt, Subject } from "../Exchange.ts"
import type { Token } from "../ports/Credentials.ts"
import type { Refusal } from "../Refusal.ts"
import { compile as credentialAt } from "./credential.ts"
import * as aws from "./credentials/aws.ts"
import { type Around, clientCredentials, crossAppAccess, tokenExchange } from "./credentials/tokenExchange.ts"
import { asked, failed, type Wallet } from "./credentials/Wallet.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** Puts a credential into a request, or says why there is none. */
export type Authenticate = (attempt: Attempt) => Effect.Effect<Verdict, Refusal>

const unwritable = (what: string): Effect.Effect<Verdict, Refusal> =>
  Effect.fail(failed(`${what} cannot be written where the backend wants it`))

const inserting = (location: CredentialLocation, ports: PolicyPorts, what: string) => {
  const at = credentialAt(location, ports, "backend")
  const refused = unwritable(what)
  return (attempt: Attempt, value: Redacted.Redacted): Effect.Effect<Verdict, Refusal> =>
    at.insert(attempt.request, Redacted.value(value)) ? pass : refused
}

const authorization: CredentialLocation = {
  _tag: "Header",
  name: "authorization" as Extract<CredentialLocation, { readonly _tag: "Header" }>["name"],
  prefix: "Bearer ",
}

/** A name: neither an address nor nothing. */
const nameOf = (attempt: Attempt, ports: PolicyPorts): string | undefined => {
  const host = ports.backend === undefined ? attempt.request.host : ports.backend.host
  return host === undefined || host === "" || isIpv4(host) || isIpv6(host) || host.startsWith("[") ? undefined : host
}

/** Which resource of Azure a token is for. */
export const azureScope = (host: string | undefined): string =>
  host?.endsWith(".services.ai.azure.com") === true
    ? "https://ai.azure.com/.default"
    : "https://cognitiveservices.azure.com/.default"

const noAudience: Effect.Effect<Verdict, Refusal> = Effect.fail(
  failed("an identity token needs an audience, and the backend has no name to take it from"),
)

const gcp = ({ credential, token }: Extract<OwnAuth, { readonly _tag: "Gcp" }>, around: Around): Authenticate => {
  const { gate, ports, wallet } = around
  const put = inserting(authorization, ports, "the token of Google")
  const from = credential === undefined ? "" : gate.cryptography.sha256(Redacted.value(credential))
  const get = (wanted: Parameters<Wallet["credentials"]["gcp"]>[0]): Effect.Effect<Token, Refusal> =>
    wallet.tokens.get(
      JSON.stringify(["gcp", wanted, from]),
      asked("a token of Google", () => wallet.credentials.gcp(wanted, credential)),
    )
  if (token._tag === "AccessToken") {
    return (attempt) => Effect.flatMap(get(token), ({ value }) => put(attempt, value))
  }
  return (attempt) => {
    const audience = token.audience ?? nameOf(attempt, ports)?.replace(/^/, "https://")
    if (audience === undefined) return noAudience
    return Effect.flatMap(get({ _tag: "IdToken", audience }), ({ value }) => put(attempt, value))
  }
}

const azure = (source: AzureSource, { gate, ports, wallet }: Around): Authenticate => {
  const put = inserting(authorization, ports, "the token of Azure")
  const from =
    source._tag === "ClientSecret"
      ? gate.cryptography.sha256(
          JSON.stringify([source.tenantId, source.clientId, Redacted.value(source.clientSecret)]),
        )
      : JSON.stringify(source)
  return (attempt) => {
    const scope = azureScope(nameOf(attempt, ports))
    return Effect.flatMap(
      wallet.tokens.get(
        JSON.stringify(["azure", from, scope]),
        asked("a token of Azure", () => wallet.credentials.azure(source, scope)),
      ),
      ({ value }) => put(attempt, value),
    )
  }
}

/** How long what somebody logged in with is taken for granted. */
const COPILOT_MILLIS = 60_000

const copilotFields: ReadonlyArray<readonly [string, string]> = [
  ["content-type", "application/json"],
  ["editor-version", "sluice/1.0"],
  ["x-github-api-version", "2025-10-01"],
  ["x-initiator", "agent"],
  ["x-interaction-type", "conversation-agent"],
  ["openai-intent", "conversation-agent"],
]

const copilot = ({ ports, wallet }: Around): Authenticate => {
  const { clock } = ports
  const put = inserting(authorization, ports, "the token of GitHub Copilot")
  const asking = asked("the token of GitHub Copilot", async (): Promise<Token> => ({
    value: await wallet.credentials.copilot(),
    expiresMillis: clock.wallMillis() + COPILOT_MILLIS,
  }))
  return (attempt) =>
    Effect.flatMap(wallet.tokens.get("copilot", asking), ({ value }) => {
      for (const [name, field] of copilotFields) attempt.request.headers.set(name, field)
      return put(attempt, value)
    })
}

const jwtSign = (
  policy: Extract<OwnAuth, { readonly _tag: "JwtSign" }>,
  { gate, ports, wallet }: Around,
): Authenticate => {
  const { algorithm, claims, kid, lifetimeMillis, location, signingKeyPem } = policy
  const { clock } = ports
  const put = inserting(location, ports, "the signed token")
  const header: Record<string, Json> = { typ: "JWT", ...(kid === undefined ? {} : { kid }) }
  const key = JSON.stringify([
    "jwtSign",
    gate.cryptography.sha256(Redacted.value(signingKeyPem)),
    algorithm,
    header,
    claims,
    lifetimeMillis,
  ])
  // The same claims make the same token, so one serves until it is half used up.
  const asking = asked("a signature", async (): Promise<Token> => {
    const now = clock.wallMillis()
    const token = await wallet.credentials.signJwt(
      header,
      {
        ...claims,
        iat: Math.floor((now - defaults.jwtBackdatingMillis) / 1000),
        exp: Math.floor((now + lifetimeMillis) / 1000),
      },
      signingKeyPem,
      algorithm,
    )
    return { value: Redacted.make(token), expiresMillis: now + lifetimeMillis }
  })
  return (attempt) => Effect.flatMap(wallet.tokens.get(key, asking), ({ value }) => put(attempt, value))
}

const own = (auth: OwnAuth, around: Around): Authenticate => {
  const { gate, ports, wallet } = around
  switch (auth._tag) {
    case "Passthrough": {
      const put = inserting(auth.location, ports, "the token of the client")
      return (attempt) => {
        const token = attempt.exchange.identity?.token
        return token === undefined ? pass : put(attempt, token)
      }
    }
    case "Key": {
      const put = inserting(auth.location, ports, "the key")
      return (attempt) => put(attempt, auth.value)
    }
    case "Gcp":
      return gcp(auth, around)
    case "Aws":
      return aws.compile(auth, ports, wallet, gate.cryptography)
    case "Azure":
      return azure(auth.source, around)
    case "Copilot":
      return copilot(around)
    case "JwtSign":
      return jwtSign(auth, around)
  }
}

const kind = (auth: BackendAuthKind, around: Around): Authenticate => {
  switch (auth._tag) {
    case "OauthTokenExchange":
      return tokenExchange(auth, around)
    case "CrossAppAccess":
      return crossAppAccess(auth, around)
    case "OauthClientCredentials":
      return clientCredentials(auth, around)
    default:
      return own(auth, around)
  }
}

export const compile = (policy: BackendAuth, ports: PolicyPorts): Step<Subject> | undefined => {
  const { gate } = ports
  if (gate?.wallet === undefined) return broken("BackendAuth", "the gateway has no credentials here")
  const { auth } = policy
  const main = auth === undefined ? undefined : kind(auth, { ports, gate, wallet: gate.wallet })
  const further = policy.credentials.map(({ location, value }) => {
    const put = inserting(location, ports, "a credential")
    return (attempt: Attempt) => put(attempt, value)
  })
  const all: ReadonlyArray<Authenticate> = main === undefined ? further : [main, ...further]
  const [first, ...rest] = all
  if (first === undefined) return undefined
  const run: Authenticate =
    rest.length === 0
      ? first
      : (attempt) => rest.reduce((done, next) => Effect.andThen(done, next(attempt)), first(attempt))
  return {
    kind: "BackendAuth",
    // The policies of backends act on attempts, and on nothing else.
    run: (subject) => run(subject as Attempt),
  }
}
