import type { CredentialLocation } from "./policy/CredentialLocation.ts"

/** Either field becomes the credential for a proxy. */
const fields: ReadonlySet<string> = new Set(["authorization", "proxy-authorization"])

/** Whether a credential stands where a proxy looks for it. */
export const isForProxy = (
  location: CredentialLocation,
): location is Extract<CredentialLocation, { readonly _tag: "Header" }> =>
  location._tag === "Header" && fields.has(location.name)
