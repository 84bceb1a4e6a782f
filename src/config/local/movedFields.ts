/**
 * Fields that files of other gateways, older files, or proposals have and this one has not: each is still an error where
 * it stands, but one that says what to write instead.
 */
export const movedFields: Readonly<Record<string, string>> = {
  a2aPolicy: "Set `a2a: {}`.",
  aauth:
    "Requests signed by AAuth are not verified here. Have agents show a token (`jwtAuth`) or a certificate (mTLS).",
  extMcp: "Use `mcpGuardrails`, with `processors` for `drivers`.",
  format: "The format of logs belongs to the process: set `config.logging.format`.",
  mcpRemoteRateLimit: "Use `remoteRateLimit`; limits of tools are rules of `mcpAuthorization` and `mcpGuardrails`.",
  oauth2: "Use `oidc`.",
  pat: "Use `apiKey`, with `virtual: true` for keys that the gateway gives out.",
  pricing: "Use `config.modelCatalog`.",
  serverTools:
    "Tools that a client expects a provider to run are not run by the gateway: give the client the MCP server itself.",
  security_guards: "Use `mcpGuardrails`.",
}
