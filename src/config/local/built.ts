/**
 * What a file may say already but the gateway cannot do yet. Everything here is decoded, checked, and then refused by
 * name at its place. Building something ends with deleting its line.
 */

export const notBuilt = {
  backends: [],
  sections: ["ui"],
  protocols: ["HBONE"],
  tunnels: ["hboneWaypoint", "hboneGateway"],
  policies: ["inferenceRouting"],
  fields: [
    "tls.spiffe",
    "tls.mode: dynamicCa",
    "backendTLS.spiffe",
    "services.waypoint",
    "services.weightedWaypoints",
    "services.ingressUseWaypoint",
    "workloads.waypoint",
    "workloads.networkGateway",
    "workloads.hboneMtlsPort",
    "workloads.protocol: HBONE",
    "workloads.protocol: LegacyIstioMtls",
  ],
  config: [
    "localXdsPath",
    "storage.mode: hybrid",
    "storage.mode: readOnly",
    "caAddress",
    "caAuthToken",
    "xdsAddress",
    "xdsAuthToken",
    "spiffe",
  ],
} as const satisfies Record<string, ReadonlyArray<string>>

/** Settings of things that are not built: harmless to have, so that a file may keep them, but said aloud. */
export const withoutEffect: ReadonlyArray<string> = [
  "trustDomain",
  "additionalTrustDomains",
  "skipValidateTrustDomain",
  "serviceAccount",
  "hbone",
]

export type Kind = keyof typeof notBuilt

const said: Record<Kind, (name: string) => string> = {
  backends: (name) => `\`${name}\` backends are not built yet`,
  sections: (name) => `the \`${name}\` section is not built yet`,
  protocols: (name) => `${name} listeners are not built yet`,
  tunnels: (name) => `the tunnel protocol \`${name}\` is not built yet`,
  policies: (name) => `\`${name}\` policies are not built yet`,
  fields: (name) => `\`${name}\` is not built yet`,
  config: (name) => `\`config.${name}\` is not built yet`,
}

/** The refusal, where there is one. */
export const refusal = (kind: Kind, name: string): string | undefined =>
  (notBuilt[kind] as ReadonlyArray<string>).includes(name) ? said[kind](name) : undefined
