/** `oidc`: browsers that log in at a provider. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Oidc as IrOidc, OidcProvider } from "../../../../ir/policy/Oidc.ts"
import type { Secret } from "../../../../ir/Secret.ts"
import type { Path } from "../../ConfigIssue.ts"
import { document, FileInlineOrRemote, FileOrInline, secret } from "../FileOrInline.ts"
import { anyCase, Millis, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

const oidcShape = Schema.Struct({
  issuer: Schema.NonEmptyString,
  discovery: opt(FileInlineOrRemote),
  authorizationEndpoint: opt(Schema.NonEmptyString),
  tokenEndpoint: opt(Schema.NonEmptyString),
  jwks: opt(FileInlineOrRemote),
  tokenEndpointAuth: opt(anyCase(["clientSecretBasic", "clientSecretPost"])),
  clientId: Schema.NonEmptyString,
  clientSecret: FileOrInline,
  redirectURI: Schema.NonEmptyString,
  scopes: opt(Texts),
  cookieSecret: opt(
    FileOrInline,
    "What cookies are sealed with: 32 bytes in hexadecimal; OIDC_COOKIE_SECRET of the environment unless set.",
  ),
  sessionLifetime: opt(Millis, "How long a session can be renewed; 12h unless set."),
  logout: opt(
    Schema.Struct({
      path: Schema.NonEmptyString,
      redirectURI: opt(Schema.NonEmptyString, "Where browsers go afterwards."),
      backChannelPath: opt(Schema.NonEmptyString, "Where the provider says that it has ended sessions by itself."),
    }),
  ),
}).annotate({ identifier: "Oidc", description: "Log browsers in." })
export interface OidcSchema extends Named<typeof oidcShape> {}
export const Oidc: OidcSchema = oidcShape
export type Oidc = typeof Oidc.Type

const redirectUri = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.pathname !== "/" &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === "" &&
    !/\/\.{1,2}(?:\/|$)|%2f|%2e/i.test(text)
  )
}

const sealingKey = (policy: Oidc, path: Path, to: Mapping): Secret | undefined => {
  const own = policy.cookieSecret
  const inherited = to.env["OIDC_COOKIE_SECRET"]
  const key =
    own === undefined
      ? inherited === undefined
        ? undefined
        : Redacted.make(inherited)
      : secret(own, [...path, "cookieSecret"], to)
  if (key === undefined) {
    return own === undefined
      ? to.fail(
          path,
          "there is nothing to seal cookies with",
          "Set `cookieSecret`, or OIDC_COOKIE_SECRET in the environment, to what `openssl rand -hex 32` prints.",
        )
      : undefined
  }
  if (!/^[0-9a-f]{64}$/i.test(Redacted.value(key))) {
    return to.fail(
      own === undefined ? path : [...path, "cookieSecret"],
      "what cookies are sealed with is not 32 bytes in hexadecimal",
      "Take what `openssl rand -hex 32` prints.",
    )
  }
  return key
}

export const oidc = (policy: Oidc, path: Path, to: Mapping, owner: string): IrOidc | undefined => {
  if (!redirectUri(policy.redirectURI)) {
    to.fail(
      [...path, "redirectURI"],
      "expected an absolute http(s) URL with a path, without user, query, fragment, dot segments or encoded slashes",
    )
  }
  const { authorizationEndpoint, discovery, jwks, tokenEndpoint } = policy
  const explicit = [authorizationEndpoint, tokenEndpoint, jwks].filter((one) => one !== undefined).length
  let provider: OidcProvider | undefined
  if (authorizationEndpoint !== undefined && tokenEndpoint !== undefined && jwks !== undefined) {
    if (discovery !== undefined)
      to.fail([...path, "discovery"], "`discovery` cannot be combined with explicit endpoints")
    const keys = document(jwks, [...path, "jwks"], to)
    const tokenEndpointAuth = policy.tokenEndpointAuth ?? "clientSecretBasic"
    if (keys !== undefined) {
      provider = { _tag: "Explicit", authorizationEndpoint, tokenEndpoint, tokenEndpointAuth, jwks: keys }
    }
  } else if (explicit > 0) {
    return to.fail(path, "`authorizationEndpoint`, `tokenEndpoint` and `jwks` are set together, or none is")
  } else {
    if (policy.tokenEndpointAuth !== undefined) {
      to.fail([...path, "tokenEndpointAuth"], "`tokenEndpointAuth` goes with explicit endpoints only")
    }
    const found = discovery === undefined ? undefined : document(discovery, [...path, "discovery"], to)
    provider = { _tag: "Discovered", ...present({ document: found }) }
  }
  const clientSecret = secret(policy.clientSecret, [...path, "clientSecret"], to)
  const cookieKey = sealingKey(policy, path, to)
  const { logout } = policy
  if (logout !== undefined && !/^\/[^?#\s]*$/.test(logout.path)) to.fail([...path, "logout", "path"], "expected a path")
  const backChannel = logout?.backChannelPath
  if (backChannel !== undefined && (!/^\/[^?#\s]*$/.test(backChannel) || backChannel === logout?.path)) {
    to.fail([...path, "logout", "backChannelPath"], "expected a path of its own")
  }
  if (logout?.redirectURI !== undefined && !/^(?:https?:\/\/[^\s]+|\/(?![/\\])[^\s\\]*)$/.test(logout.redirectURI)) {
    to.fail([...path, "logout", "redirectURI"], "expected an http(s) URL or a path")
  }
  return provider === undefined || clientSecret === undefined || cookieKey === undefined
    ? undefined
    : {
        _tag: "Oidc",
        id: owner,
        issuer: policy.issuer,
        provider,
        clientId: policy.clientId,
        clientSecret,
        redirectUri: policy.redirectURI,
        cookieKey,
        ...present({
          sessionMillis: policy.sessionLifetime,
          logout:
            logout === undefined
              ? undefined
              : { path: logout.path, ...present({ redirectUri: logout.redirectURI, backChannelPath: backChannel }) },
        }),
        scopes: [...new Set(policy.scopes ?? [])].filter((scope) => scope !== "openid" && scope !== ""),
      }
}
