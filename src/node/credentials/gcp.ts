/** Google's own library: tokens of the environment, or of a credential file. */
import type { JWTInput } from "google-auth-library"
import * as Redacted from "effect/Redacted"
import type { Credentials, Token } from "../../../stages/ports/Credentials.ts"

const scope = "https://www.googleapis.com/auth/cloud-platform"
/** No token depends on it, but without one the library looks for it in every place it knows, programs included. */
const projectId = "any"
/** For tokens whose end nobody says. */
const lifetimeMillis = 300_000

type Google = typeof import("google-auth-library")

/** `fetch` stands for the network, where that is another one. */
export const make = (fetch?: typeof globalThis.fetch): Credentials["gcp"] => {
  let google: Promise<Google> | undefined
  return async (token, credential) => {
    const { GoogleAuth } = await (google ??= import("google-auth-library"))
    const clientOptions = fetch === undefined ? {} : { transporterOptions: { fetchImplementation: fetch } }
    const given = new GoogleAuth({ scopes: scope, clientOptions, projectId })
    const auth =
      credential === undefined
        ? given
        : new GoogleAuth({
            scopes: scope,
            authClient: given.fromJSON(parsed(Redacted.value(credential)), clientOptions),
          })
    if (token._tag === "IdToken") {
      const client = await auth.getIdTokenClient(token.audience)
      const { idTokenProvider } = client
      return idTokenOf(await idTokenProvider.fetchIdToken(token.audience))
    }
    const client = await auth.getClient()
    const { token: value } = await client.getAccessToken()
    if (value === null || value === undefined || value === "") throw new Error("there is no access token in the answer")
    return {
      value: Redacted.make(value),
      expiresMillis: client.credentials.expiry_date ?? Date.now() + lifetimeMillis,
    }
  }
}

const parsed = (text: string): JWTInput => {
  const value: unknown = JSON.parse(text)
  if (typeof value !== "object" || value === null) throw new Error("the credential is not a JSON object")
  return value as JWTInput
}

const idTokenOf = (text: string): Token => {
  const claims: unknown = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString() || "{}")
  const exp = typeof claims === "object" && claims !== null ? (claims as { exp?: unknown }).exp : undefined
  return {
    value: Redacted.make(text),
    expiresMillis: typeof exp === "number" ? exp * 1000 : Date.now() + lifetimeMillis,
  }
}
