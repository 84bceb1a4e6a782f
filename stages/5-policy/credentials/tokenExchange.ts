/**
 * Trades what the client has for what the backend accepts: token exchange (RFC 8693), the JWT bearer grant (RFC 7523),
 * both one after the other for access across applications, and the gateway's own grant (RFC 6749 §4.4).
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { defaults } from "../../../ir/defaults.ts"
import type { NamedExpression } from "../../../ir/Expression.ts"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import type { TokenEndpoint } from "../../../ir/policy/TokenEndpoint.ts"
import type { CrossAppAccess, OauthClientCredentials, OauthTokenExchange } from "../../../ir/policy/TokenExchange.ts"
import * as Jwt from "../../../protocols/jose/jwt.ts"
import type { Attempt, Exchange } from "../../Exchange.ts"
import type { Token } from "../../ports/Credentials.ts"
import type { Refusal } from "../../Refusal.ts"
import { compile as credentialAt, type Credential, isHeader } from "../credential.ts"
import { expressionsOf } from "../expression/expressionsOf.ts"
import { Facts } from "../expression/Facts.ts"
import type { Gate } from "../Gate.ts"
import { pass, type Verdict } from "../Step.ts"
import type { PolicyPorts } from "../steps.ts"
import { ask, type Asker, type Denied, type Field, type Granted, refusalOf } from "./tokenEndpoint.ts"
import { failed, type Wallet } from "./Wallet.ts"

const grants = {
  tokenExchange: "urn:ietf:params:oauth:grant-type:token-exchange",
  jwtBearer: "urn:ietf:params:oauth:grant-type:jwt-bearer",
} as const
const idJag = "urn:ietf:params:oauth:token-type:id-jag"

const badRequest = (detail: string): Effect.Effect<never, Refusal> => Effect.fail({ _tag: "InvalidRequest", detail })
const noSubject = badRequest("there is no token to exchange")
const noActor = badRequest("there is no token of the actor")
const noParameter = badRequest("a parameter of the token request cannot be computed")
const mayNotAct: Effect.Effect<never, Refusal> = Effect.fail({ _tag: "AuthorizationFailed" })

export interface Around {
  readonly ports: PolicyPorts
  readonly gate: Gate
  readonly wallet: Wallet
}

type Authenticate = (attempt: Attempt) => Effect.Effect<Verdict, Refusal>

const askerOf = ({ gate, ports, wallet }: Around): Asker => ({
  clock: ports.clock,
  cryptography: gate.cryptography,
  credentials: wallet.credentials,
})

/** Where a token is found; one that was checked is no longer where it came. */
const tokenAt = (source: CredentialLocation, ports: PolicyPorts) => {
  const at = credentialAt(source, ports, "backend")
  const isUsual = isHeader(source, "authorization")
  const found = (attempt: Attempt): string | undefined => {
    const written = at.extract(attempt)?.trim()
    if (written !== undefined && written !== "") return written
    const checked = isUsual ? attempt.exchange.identity?.token : undefined
    return checked === undefined ? undefined : Redacted.value(checked)
  }
  return { at, found }
}

const several = (name: string, values: ReadonlyArray<string>): ReadonlyArray<Field> =>
  values.map((value): Field => [name, value])

const scope = (scopes: ReadonlyArray<string>): ReadonlyArray<Field> =>
  scopes.length === 0 ? [] : [["scope", scopes.join(" ")]]

const computed = (expressions: ReadonlyArray<NamedExpression>, ports: PolicyPorts) => {
  if (expressions.length === 0) return (): ReadonlyArray<Field> => []
  const compiler = expressionsOf(ports)
  const compiled = expressions.map(({ expression, name }) => ({
    name,
    expression: compiler.compile(expression, "backend", "parameter"),
  }))
  return (attempt: Attempt): ReadonlyArray<Field> | undefined => {
    const facts = Facts.of(compiler.around, attempt)
    const fields: Array<Field> = []
    for (const { expression, name } of compiled) {
      const value = expression.as(facts, (one) => (typeof one === "string" ? one : undefined))
      if (value === undefined) return undefined
      fields.push([name, value])
    }
    return fields
  }
}

/** Whether an actor is one of those that the subject lets act (RFC 8693 §4.4); a subject that names none lets nobody. */
export const mayAct = (subject: string, actor: string): boolean => {
  const allowed = Jwt.parse(subject)?.claims["may_act"]
  const claims = Jwt.parse(actor)?.claims
  if (typeof allowed !== "object" || allowed === null || Array.isArray(allowed) || claims === undefined) return false
  const entries = Object.entries(allowed)
  return (
    entries.length > 0 &&
    entries.every(([name, value]) => {
      const claimed = Object.hasOwn(claims, name) ? claims[name] : undefined
      const wanted = JSON.stringify(value)
      if (claimed === undefined) return false
      return Array.isArray(claimed)
        ? claimed.some((one) => JSON.stringify(one) === wanted)
        : JSON.stringify(claimed) === wanted
    })
  )
}

/** When a token ends that nobody can use longer than the one it was got for. */
const expiryOf = (granted: Granted, defaultMillis: number, subject: string | undefined, nowMillis: number): number => {
  const ends = nowMillis + (granted.expiresInMillis ?? defaultMillis)
  const exp = subject === undefined ? undefined : Jwt.parse(subject)?.claims["exp"]
  return typeof exp === "number" ? Math.min(ends, exp * 1000) : ends
}

const isBearer = ({ tokenType }: Granted): boolean => tokenType.toLowerCase() === "bearer"

const bearerOnly = (granted: Granted): Effect.Effect<Granted, Denied> =>
  isBearer(granted)
    ? Effect.succeed(granted)
    : Effect.fail({ detail: "the token it gave is no bearer token", isClientsFault: false })

interface Trade {
  readonly key: string
  readonly subject: string | undefined
  readonly fetch: (exchange: Exchange) => Effect.Effect<Granted, Refusal>
}

const late = failed("the token endpoint took too long")

const trading = (
  policy: { readonly location: CredentialLocation; readonly cache: OauthTokenExchange["cache"] },
  around: Around,
  taken: ReadonlyArray<Credential>,
) => {
  const { gate, ports, wallet } = around
  const { clock } = ports
  const tokens = wallet.store(gate.cryptography.sha256(JSON.stringify(policy)))
  const at = credentialAt(policy.location, ports, "backend")
  const unwritable: Effect.Effect<Verdict, Refusal> = Effect.fail(
    failed("the token cannot be written where the backend wants it"),
  )
  return (attempt: Attempt, { fetch, key, subject }: Trade): Effect.Effect<Verdict, Refusal> => {
    const { exchange } = attempt
    const got = tokens.get(gate.cryptography.sha256(key), {
      fetch: () =>
        Effect.map(fetch(exchange), (granted): Token => ({
          value: granted.accessToken,
          expiresMillis: expiryOf(granted, policy.cache.defaultLifetimeMillis, subject, clock.wallMillis()),
        })),
      // Two calls may be needed.
      timeoutMillis: 2 * defaults.tokenEndpointTimeoutMillis,
      late,
      entriesMax: policy.cache.maxEntries,
    })
    return Effect.flatMap(got, ({ value }) => {
      for (const one of taken) one.remove(attempt.request)
      return at.insert(attempt.request, Redacted.value(value)) ? pass : unwritable
    })
  }
}

export const tokenExchange = (policy: OauthTokenExchange, around: Around): Authenticate => {
  const { ports } = around
  const asker = askerOf(around)
  const { actorToken, endpoint, grantType, requestedTokenType, subjectToken } = policy
  const subjectAt = tokenAt(subjectToken.source, ports)
  const actorAt = actorToken === undefined ? undefined : tokenAt(actorToken.source, ports)
  const parameters = computed(policy.additionalParams, ports)
  const trade = trading(policy, around, [subjectAt.at, ...(actorAt === undefined ? [] : [actorAt.at])])
  const fixed: ReadonlyArray<Field> = [
    ["grant_type", grants[grantType]],
    ...several("audience", policy.audiences),
    ...several("resource", policy.resources),
    ...scope(policy.scopes),
    ...(requestedTokenType === undefined ? [] : several("requested_token_type", [requestedTokenType])),
  ]
  const isRequested = (granted: Granted): Effect.Effect<Granted, Denied> =>
    requestedTokenType === undefined ||
    granted.issuedTokenType === undefined ||
    granted.issuedTokenType === requestedTokenType
      ? bearerOnly(granted)
      : Effect.fail({ detail: "the token it gave is of another type", isClientsFault: false })
  return (attempt) => {
    const subject = subjectAt.found(attempt)
    if (subject === undefined) return noSubject
    const actor = actorAt?.found(attempt)
    if (actorAt !== undefined && actor === undefined) return noActor
    if (actorToken?.enforceMayAct === true && !mayAct(subject, actor ?? "")) return mayNotAct
    const more = parameters(attempt)
    if (more === undefined) return noParameter
    const fields: Array<Field> = [...fixed, ...more]
    if (grantType === "jwtBearer") fields.push(["assertion", subject])
    else fields.push(["subject_token", subject], ["subject_token_type", subjectToken.tokenType])
    if (actor !== undefined && actorToken !== undefined) {
      fields.push(["actor_token", actor], ["actor_token_type", actorToken.tokenType])
    }
    return trade(attempt, {
      key: JSON.stringify(fields),
      subject,
      fetch: (exchange) => Effect.catch(Effect.flatMap(ask(endpoint, asker, exchange, fields), isRequested), refusalOf),
    })
  }
}

const isGrant = (granted: Granted): Effect.Effect<Granted, Denied> =>
  granted.issuedTokenType === idJag && (granted.tokenType === "" || granted.tokenType.toUpperCase() === "N_A")
    ? Effect.succeed(granted)
    : Effect.fail({ detail: "the identity provider gave no grant for another application", isClientsFault: false })

export const crossAppAccess = (policy: CrossAppAccess, around: Around): Authenticate => {
  const { ports } = around
  const asker = askerOf(around)
  const { audience, identityProvider, resourceAuthorizationServer, resources, scopes, subjectToken } = policy
  const subjectAt = tokenAt(subjectToken.source, ports)
  const trade = trading(policy, around, [subjectAt.at])
  const fixed: ReadonlyArray<Field> = [
    ["grant_type", grants.tokenExchange],
    ["requested_token_type", idJag],
    ["audience", audience],
    ...several("resource", resources),
    ...scope(scopes),
    ["subject_token_type", subjectToken.tokenType],
  ]
  const second = (endpoint: TokenEndpoint, exchange: Exchange, grant: Granted): Effect.Effect<Granted, Denied> =>
    Effect.mapError(
      Effect.flatMap(
        ask(endpoint, asker, exchange, [
          ["grant_type", grants.jwtBearer],
          ["assertion", Redacted.value(grant.accessToken)],
          ...scope(policy.accessTokenScopes ?? scopes),
        ]),
        bearerOnly,
      ),
      // The client did not make the grant that was not accepted.
      ({ detail }) => ({ detail, isClientsFault: false }),
    )
  return (attempt) => {
    const subject = subjectAt.found(attempt)
    if (subject === undefined) return noSubject
    const fields: ReadonlyArray<Field> = [...fixed, ["subject_token", subject]]
    return trade(attempt, {
      key: subject,
      subject,
      fetch: (exchange) =>
        ask(identityProvider, asker, exchange, fields).pipe(
          Effect.flatMap(isGrant),
          Effect.flatMap((grant) => second(resourceAuthorizationServer, exchange, grant)),
          Effect.catch(refusalOf),
        ),
    })
  }
}

export const clientCredentials = (policy: OauthClientCredentials, around: Around): Authenticate => {
  const asker = askerOf(around)
  const trade = trading(policy, around, [])
  const fields: ReadonlyArray<Field> = [
    ["grant_type", "client_credentials"],
    ...several("audience", policy.audiences),
    ...several("resource", policy.resources),
    ...scope(policy.scopes),
  ]
  return (attempt) =>
    trade(attempt, {
      key: "",
      subject: undefined,
      fetch: (exchange) =>
        Effect.catch(Effect.flatMap(ask(policy.endpoint, asker, exchange, fields), bearerOnly), ({ detail }) =>
          refusalOf({ detail, isClientsFault: false }),
        ),
    })
}
