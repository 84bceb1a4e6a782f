/** The legs of the conformance run: which client in front of which server, and what the protocol makes impossible between them. */
import * as path from "node:path"

export type Requirements = "2025-11-25" | "2026-07-28"

/** The suite as a client, in front of a gateway with a server of ours behind it. */
export interface ServerLeg {
  readonly _tag: "Server"
  readonly name: string
  /** The requirement set of the suite, and with it the revision that is spoken; or single scenarios. */
  readonly requirements: Requirements
  readonly scenarios?: ReadonlyArray<string>
  /** How the server is started, after the name of its file. */
  readonly server: ReadonlyArray<string>
  /** Behind pipes the gateway starts it by itself. */
  readonly transport: "http" | "sse" | "stdio"
  readonly protocol?: "legacy" | "modern"
  /** A second target beside the server. */
  readonly federated?: true
  /** `scenario:check`, or a whole scenario. */
  readonly expected?: ReadonlyArray<string>
  /** Scenarios that are not scored, and still have to pass. */
  readonly alsoRequired: ReadonlyArray<string>
}

/** The suite as a server, and the gateway its client, with a client of an SDK in front. */
export interface ClientLeg {
  readonly _tag: "Client"
  readonly name: string
  readonly requirements: Requirements
  readonly scenarios: ReadonlyArray<string>
  /** Beside `client.ts`: what stands in front of the gateway. */
  readonly driver?: "oauthClient.ts"
}

export type Leg = ServerLeg | ClientLeg

const here = import.meta.dirname
const fixture = path.join(here, "mcp/serve.ts")
const tasksFixture = path.join(here, "mcp/tasks.ts")

/** What a server with sessions cannot give to a client that is asked by results; nobody between them could add it. */
const lossy = [
  // It refuses by a tool error what is to be an error of the protocol.
  "server-stateless:sep-2575-server-rejects-undeclared-capability",
  "server-stateless:sep-2575-missing-capability-http-400",
  // Its questions have no names, and the suite asks for one.
  "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete",
  "input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params",
]

const unscoredLegacy = ["server-session-lifecycle", "json-schema-2020-12", "server-sse-polling"]
const unscoredModern = ["http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"]

export const tasks = [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-status-notifications",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
]

const legacyClient = { _tag: "Server", requirements: "2025-11-25", alsoRequired: unscoredLegacy } as const
const modernClient = { _tag: "Server", requirements: "2026-07-28", alsoRequired: unscoredModern } as const

const overHttp = { transport: "http" } as const
const legacyServer = { ...overHttp, server: [fixture, "--era", "legacy"] } as const
const modernServer = { ...overHttp, server: [fixture, "--era", "modern"] } as const
const sseServer = { transport: "sse", server: [fixture, "--transport", "sse"] } as const
const pipes = (era: string, style: string) =>
  ({ transport: "stdio", server: [fixture, "--transport", "stdio", "--era", era, "--style", style] }) as const

/** What a client of OAuth has to do in both revisions. */
const authorizations = [
  "metadata-default",
  "metadata-var1",
  "metadata-var2",
  "metadata-var3",
  "basic-cimd",
  "scope-from-www-authenticate",
  "scope-from-scopes-supported",
  "scope-omitted-when-undefined",
  "scope-step-up",
  "scope-retry-limit",
  "token-endpoint-auth-basic",
  "token-endpoint-auth-post",
  "token-endpoint-auth-none",
  "pre-registration",
  // Not scored.
  "client-credentials-jwt",
  "client-credentials-basic",
]

const modernAuthorizations = [
  "resource-mismatch",
  "offline-access-scope",
  "offline-access-not-supported",
  "authorization-server-migration",
  "iss-supported",
  "iss-not-advertised",
  "iss-supported-missing",
  "iss-wrong-issuer",
  "iss-unexpected",
  "iss-normalized",
  "metadata-issuer-mismatch",
]

const oauthClient = { _tag: "Client", driver: "oauthClient.ts" } as const
const named = (scenarios: ReadonlyArray<string>): ReadonlyArray<string> => scenarios.map((name) => `auth/${name}`)

export const legs: ReadonlyArray<Leg> = [
  { name: "legacy-to-legacy", ...legacyClient, ...legacyServer, protocol: "legacy" },
  { name: "modern-to-modern", ...modernClient, ...modernServer, protocol: "modern" },
  {
    name: "legacy-to-modern",
    ...legacyClient,
    ...overHttp,
    server: [...modernServer.server, "--style", "write-once"],
  },
  { name: "modern-to-legacy", ...modernClient, ...legacyServer, expected: lossy },
  { name: "legacy-to-sse", ...legacyClient, ...sseServer },
  { name: "modern-to-sse", ...modernClient, ...sseServer, expected: lossy },
  { name: "legacy-to-stdio", ...legacyClient, ...pipes("legacy", "push") },
  { name: "modern-to-stdio", ...modernClient, ...pipes("legacy", "push"), expected: lossy },
  { name: "legacy-to-modern-stdio", ...legacyClient, ...pipes("modern", "write-once") },
  { name: "modern-to-modern-stdio", ...modernClient, ...pipes("modern", "write-once") },
  { name: "federated-legacy", ...legacyClient, ...legacyServer, federated: true },
  { name: "federated-modern", ...modernClient, ...modernServer, federated: true },
  {
    _tag: "Server",
    name: "tasks",
    requirements: "2026-07-28",
    scenarios: tasks,
    ...overHttp,
    server: [tasksFixture],
    protocol: "modern",
    alsoRequired: tasks,
  },
  {
    _tag: "Client",
    name: "gateway-as-legacy-client",
    requirements: "2025-11-25",
    scenarios: [
      "initialize",
      "tools_call",
      "elicitation-sep1034-client-defaults",
      "sse-retry",
      "json-schema-2020-12-preservation",
    ],
  },
  {
    _tag: "Client",
    name: "gateway-as-modern-client",
    requirements: "2026-07-28",
    scenarios: [
      "tools_call",
      "request-metadata",
      "sep-2322-client-request-state",
      "http-standard-headers",
      "http-custom-headers",
      "http-invalid-tool-headers",
      "json-schema-ref-no-deref",
      "json-schema-2020-12-preservation",
    ],
  },
  {
    name: "gateway-as-oauth-client-legacy",
    ...oauthClient,
    requirements: "2025-11-25",
    scenarios: named(authorizations),
  },
  {
    name: "gateway-as-oauth-client-modern",
    ...oauthClient,
    requirements: "2026-07-28",
    scenarios: named([...authorizations, ...modernAuthorizations]),
  },
]
