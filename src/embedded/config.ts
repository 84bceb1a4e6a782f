import { notesDocument } from "./notes.ts"

/** What is served when nothing was configured: useful at once, and without a network. */
export const embedded = `
gateways:
  default:
    port: \${SLUICE_PORT:-4000}
llm:
  matches: [{ path: { pathPrefix: /v1 } }, { path: { pathPrefix: /v1beta } }]
  models:
    - name: "*"
      provider: echo
mcp:
  prefixMode: onConflict
  targets:
    - name: text
      stdio: { cmd: "\${SLUICE_NODE}", args: ["\${SLUICE_TEXT_SERVER}"], shared: true }
    - name: clock
      mcp: { host: "http://127.0.0.1:\${SLUICE_SAMPLE_PORT}/mcp" }
    - name: notes
      openapi:
        host: "http://127.0.0.1:\${SLUICE_SAMPLE_PORT}"
        schema: ${JSON.stringify(notesDocument)}
routes:
  - name: agent
    matches: [{ path: { pathPrefix: /agents/echo } }]
    policies:
      a2a: { bridge: { card: /agent/.well-known/agent-card.json } }
    backends:
      - host: 127.0.0.1:\${SLUICE_SAMPLE_PORT}
  - name: sample
    policies:
      cors:
        allowOrigins: ["*"]
        allowMethods: ["*"]
        allowHeaders: ["*"]
    backends:
      - host: 127.0.0.1:\${SLUICE_SAMPLE_PORT}
`

/** A loopback port stands for the sample where it is not running. */
export const withoutSample = { SLUICE_SAMPLE_PORT: "1", SLUICE_NODE: "node", SLUICE_TEXT_SERVER: "text-server" }
