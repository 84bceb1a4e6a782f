/** Microsoft's own library: tokens of Entra for whatever identity the environment or the configuration gives. */
import * as Redacted from "effect/Redacted"
import type { TokenCredential } from "@azure/identity"
import type { AzureSource } from "../../../ir/policy/CloudAuth.ts"
import type { Credentials } from "../../../stages/ports/Credentials.ts"

type Identity = typeof import("@azure/identity")

/** How many credentials keep what they found out about where they are. */
const CREDENTIALS_MAX = 64

export interface AzureOptions {
  /** Where sovereign clouds, and tests, have their authority. */
  readonly authorityHost?: string
  readonly disableInstanceDiscovery?: boolean
}

const credentialOf = (identity: Identity, source: AzureSource, options: AzureOptions): TokenCredential => {
  switch (source._tag) {
    case "ClientSecret":
      return new identity.ClientSecretCredential(
        source.tenantId,
        source.clientId,
        Redacted.value(source.clientSecret),
        options,
      )
    case "ManagedIdentity": {
      const { userAssigned } = source
      if (userAssigned === undefined) return new identity.ManagedIdentityCredential()
      if (userAssigned.by === "clientId") return new identity.ManagedIdentityCredential({ clientId: userAssigned.id })
      if (userAssigned.by === "objectId") return new identity.ManagedIdentityCredential({ objectId: userAssigned.id })
      return new identity.ManagedIdentityCredential({ resourceId: userAssigned.id })
    }
    case "WorkloadIdentity":
      return new identity.WorkloadIdentityCredential(options)
    case "DeveloperImplicit":
      return new identity.ChainedTokenCredential(
        new identity.AzureCliCredential(),
        new identity.AzureDeveloperCliCredential(),
        new identity.AzurePowerShellCredential(),
      )
    case "Implicit":
      return new identity.DefaultAzureCredential(options)
  }
}

const keyOf = (source: AzureSource): string =>
  JSON.stringify(source, (_, value: unknown) => (Redacted.isRedacted(value) ? Redacted.value(value) : value))

export const make = (options: AzureOptions = {}): Credentials["azure"] => {
  const known = new Map<string, TokenCredential>()
  let identity: Promise<Identity> | undefined
  return async (source, scope) => {
    const key = keyOf(source)
    let credential = known.get(key)
    if (credential === undefined) {
      credential = credentialOf(await (identity ??= import("@azure/identity")), source, options)
      if (known.size >= CREDENTIALS_MAX) known.clear()
      known.set(key, credential)
    }
    const token = await credential.getToken(scope)
    if (token === null) throw new Error("there is no token in the answer")
    return { value: Redacted.make(token.token), expiresMillis: token.expiresOnTimestamp }
  }
}
