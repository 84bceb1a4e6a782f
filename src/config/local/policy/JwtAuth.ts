/** `jwtAuth`: bearer tokens that are checked. */
import * as Schema from "effect/Schema"
import { bearer, defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { JwtAuth as IrJwtAuth, JwtProvider } from "../../../../ir/policy/JwtAuth.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileInlineOrRemote } from "../FileOrInline.ts"
import { opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { AuthenticationMode, authenticationMode } from "./authenticationMode.ts"
import { Location, location } from "./CredentialLocation.ts"
import { keySet } from "./keySet.ts"

export const validation = opt(Schema.Struct({ requiredClaims: opt(Texts) }))
const provider = {
  issuer: Schema.NonEmptyString,
  audiences: opt(Texts),
  jwks: FileInlineOrRemote,
  jwtValidationOptions: validation,
}
const jwtAuthShape = Schema.Union([
  Schema.Struct({
    mode: opt(AuthenticationMode),
    location: opt(Location),
    providers: Schema.Array(Schema.Struct(provider)),
  }),
  Schema.Struct({ mode: opt(AuthenticationMode), location: opt(Location), ...provider }),
]).annotate({ identifier: "JwtAuth", description: "Check bearer tokens." })
export interface JwtAuthSchema extends Named<typeof jwtAuthShape> {}
export const JwtAuth: JwtAuthSchema = jwtAuthShape
export type JwtAuth = typeof JwtAuth.Type

export const jwtAuth = (policy: JwtAuth, path: Path, to: Mapping): IrJwtAuth | undefined => {
  const several = "providers" in policy
  const providers = (several ? policy.providers : [policy]).flatMap((one, i): ReadonlyArray<JwtProvider> => {
    const jwks = keySet(one.jwks, [...path, ...(several ? ["providers", i] : []), "jwks"], to)
    return jwks === undefined
      ? []
      : [
          {
            issuer: one.issuer,
            audiences: one.audiences ?? [],
            jwks,
            requiredClaims: one.jwtValidationOptions?.requiredClaims ?? defaults.requiredClaims,
          },
        ]
  })
  if (several && policy.providers.length === 0)
    return to.fail([...path, "providers"], "at least one provider is needed")
  return {
    _tag: "JwtAuth",
    mode: authenticationMode(policy.mode, path, to),
    location: policy.location === undefined ? bearer : location(policy.location, [...path, "location"], to),
    providers,
  }
}
