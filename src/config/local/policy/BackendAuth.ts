/** `backendAuth`: how the gateway shows a backend who is calling. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { BackendAuth as IrBackendAuth, BackendAuthKind } from "../../../../ir/policy/BackendAuth.ts"
import type { Path } from "../../ConfigIssue.ts"
import { atMostOne, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { copilotWord, extraCredentials, ownAuth, ownKind, ownKinds } from "./CloudAuth.ts"
import { tokenEndpoint } from "./TokenEndpoint.ts"
import {
  clientCredentials,
  crossApp,
  CrossAppAccess,
  OauthClientCredentials,
  oauthShape,
  OauthTokenExchange,
  tokenExchange,
  xaaShape,
} from "./TokenExchange.ts"

const backendAuthShape = Schema.Union([
  copilotWord,
  atMostOne(
    Schema.Struct({
      ...ownAuth,
      oauthTokenExchange: opt(OauthTokenExchange),
      oauth: opt(oauthShape, "Another way to say `oauthTokenExchange`."),
      crossAppAccess: opt(CrossAppAccess),
      xaa: opt(xaaShape, "An older way to say `crossAppAccess`."),
      oauthClientCredentials: opt(OauthClientCredentials, "A token for the gateway itself."),
    }),
    [...ownKinds, "oauthTokenExchange", "oauth", "crossAppAccess", "xaa", "oauthClientCredentials"],
  ),
]).annotate({ identifier: "BackendAuth", description: "How the gateway shows a backend who is calling." })
export interface BackendAuthSchema extends Named<typeof backendAuthShape> {}
export const BackendAuth: BackendAuthSchema = backendAuthShape
export type BackendAuth = typeof BackendAuth.Type

export const backendAuth = (auth: BackendAuth, path: Path, to: Mapping): IrBackendAuth | undefined => {
  const before = to.problems.length
  let kind: BackendAuthKind | undefined
  if (typeof auth === "object" && auth.oauthTokenExchange !== undefined) {
    const at = [...path, "oauthTokenExchange"]
    kind = tokenExchange(auth.oauthTokenExchange, tokenEndpoint(auth.oauthTokenExchange, at, to), at, to)
  } else if (typeof auth === "object" && auth.oauth !== undefined) {
    const at = [...path, "oauth"]
    const { clientAuth, policies, tokenEndpoint: place, tokenEndpointPath } = auth.oauth
    const endpoint = { ...place, ...present({ clientAuth, policies, tokenEndpointPath }) }
    kind = tokenExchange(auth.oauth, tokenEndpoint(endpoint, at, to), at, to)
  } else if (typeof auth === "object" && auth.crossAppAccess !== undefined) {
    const at = [...path, "crossAppAccess"]
    const { identityProvider, resourceAuthorizationServer } = auth.crossAppAccess
    const provider = tokenEndpoint(identityProvider, [...at, "identityProvider"], to)
    const server = tokenEndpoint(resourceAuthorizationServer, [...at, "resourceAuthorizationServer"], to)
    kind = crossApp(auth.crossAppAccess, provider, server, at, to)
  } else if (typeof auth === "object" && auth.xaa !== undefined) {
    const at = [...path, "xaa"]
    const provider = tokenEndpoint(auth.xaa.idp, [...at, "idp"], to)
    const server = tokenEndpoint(auth.xaa.resourceAs, [...at, "resourceAs"], to)
    kind = crossApp(auth.xaa, provider, server, at, to)
  } else if (typeof auth === "object" && auth.oauthClientCredentials !== undefined) {
    kind = clientCredentials(auth.oauthClientCredentials, [...path, "oauthClientCredentials"], to)
  } else kind = ownKind(auth, path, to)
  const credentials = extraCredentials(auth, path, to)
  if (kind === undefined && credentials.length === 0) {
    return to.problems.length === before && typeof auth === "object" && Object.keys(auth).length === 0
      ? to.fail(path, "no kind of authentication is set")
      : undefined
  }
  return { _tag: "BackendAuth", ...present({ auth: kind }), credentials }
}
