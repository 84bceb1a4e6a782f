/**
 * The shapes that configurations for the reference come in, each condensed to what makes it one: they load here as they
 * do there, older spellings included, and what cannot work is refused with a word on what to write instead. What the
 * unusual ones do is tested in `test/e2e/shapes.test.ts`.
 */
import { describe, expect, it } from "vitest"
import { format } from "../../src/config/ConfigIssue.ts"
import { mapped } from "./mapped.ts"
import { issuesOf } from "./memoryIo.ts"
import { certificate, key } from "./pem.ts"

const files = { "cert.pem": certificate, "key.pem": key, "keys.json": '{"keys":[]}', "petstore.json": "{}" }

const env = { OPENAI_API_KEY: "k", VERTEX_PROJECT: "p", HOME: "/home/a" }

/** Loads, saying only what is listed. */
type Shape = readonly [name: string, text: string, said?: ReadonlyArray<string>]

const noKeys = /there are no keys, so no token is good/
const noMode = /`mode` is not set, so requests without credentials pass/
/** A path of its own for every shape, below one listener of a bind. */
const bind = (route: string): string => `binds:\n- port: 3000\n  listeners:\n  - routes:\n${route}`
const stdio = "targets: [{name: everything, stdio: {cmd: npx, args: ['@modelcontextprotocol/server-everything']}}]"

const shapes: ReadonlyArray<Shape> = [
  ["the smallest: one MCP server on a bind", bind(`    - backends: [{mcp: {${stdio}}}]`)],
  [
    "a route with CORS in front of an MCP server",
    bind(`
    - policies:
        cors: {allowOrigins: ['*'], allowHeaders: [mcp-protocol-version, content-type], exposeHeaders: [Mcp-Session-Id]}
      backends: [{mcp: {${stdio}}}]`),
  ],
  [
    "tools by who asks",
    bind(`
    - policies:
        jwtAuth: {issuer: a.test, audiences: [b.test], jwks: {file: keys.json}}
        mcpAuthorization:
          rules:
          - 'mcp.tool.name == "echo"'
          - 'jwt.sub == "ann" && mcp.tool.name == "add"'
          - 'mcp.tool.name == "printEnv" && jwt.nested.key == "value"'
      backends: [{mcp: {${stdio}}}]`),
    ["no mode", "no keys"],
  ],
  [
    "an authorization server that an MCP server stands behind, with its paths beside it",
    bind(`
    - matches:
      - path: {exact: /mcp}
      - path: {exact: /.well-known/oauth-protected-resource/mcp}
      - path: {pathPrefix: /.well-known/oauth-authorization-server/mcp}
      policies:
        mcpAuthentication:
          mode: strict
          issuer: http://localhost:7080/realms/mcp
          audiences: [mcp_proxy]
          jwks: {url: http://localhost:7080/realms/mcp/protocol/openid-connect/certs}
          provider: {keycloak: {}}
          resourceMetadata:
            resource: http://localhost:3000/mcp
            scopesSupported: [profile, openid]
            bearerMethodsSupported: [header, body, query]
            resourceDocumentation: http://localhost:3000/docs
      backends: [{mcp: {${stdio}}}]`),
  ],
  [
    "an authorization server that knows one client, by the gateway",
    bind(`
    - matches: [{path: {exact: /mcp}}, {path: {pathPrefix: /.well-known}}]
      policies:
        mcpAuthentication:
          issuer: http://localhost:7080/realms/mcp
          audiences: [mcp_proxy]
          provider: {keycloak: {}}
          clientId: mcp-gateway
          clientSecret: s3cret
          relaySigningKey: ${"ab".repeat(32)}
          resourceMetadata: {resource: 'http://localhost:3000/mcp'}
      backends: [{mcp: {${stdio}}}]`),
  ],
  [
    "several kinds of MCP targets in the shorthand",
    `mcp:
  port: 3000
  prefixMode: never
  targets:
  - {name: a, stdio: {cmd: uvx, args: [mcp-server-time], clearEnv: true, env: {PATH: /bin, SECRET: one}}}
  - {name: b, mcp: {host: 'https://tools.example.com/mcp'}}
  - {name: c, sse: {host: localhost, port: 8081, path: /sse}}
  - name: d
    openapi: {host: 'localhost:8080', schema: {openapi: 3.0.0, info: {title: d, version: '1'}, paths: {/a: {get: {operationId: a, responses: {}}}}}}`,
  ],
  [
    "judges of MCP messages that are expressions",
    `mcp:
  port: 3000
  ${stdio}
  policies:
    mcpGuardrails:
      processors:
      - kind: cel
        methods: {tools/call: request}
        when: mcp.params.name == 'echo' && has(mcp.params.arguments)
        reject: no
      - kind: expression
        methods: {tools/call: response}
        when: has(mcp.result.content)
        transform: >-
          mcp.result.with(r, r.merge({'content': r.content.map(item,
          item.type == 'text' ? item.merge({'text': item.text.regexReplaceAll('s-[a-z]+', '[S]')}) : item)}))`.replace(
      "reject: no",
      "reject: not this",
    ),
  ],
  [
    "a port of a bind that is written after its listeners",
    `binds: [{listeners: [{routes: [{backends: [{host: 'a:1'}]}]}], port: 3000}]`,
  ],
  [
    "mutual TLS with the certificate handed on",
    `frontendPolicies: {accessLog: {add: {user.id: jwt.sub}}}
binds:
- port: 3000
  listeners:
  - name: default
    protocol: HTTPS
    tls: {cert: cert.pem, key: key.pem, root: cert.pem}
    routes:
    - matches: [{path: {pathPrefix: /realms}}]
      backends: [{host: 'localhost:7080'}]
      policies:
        transformations:
          request:
            set: {SSL_CLIENT_CERT: url.encode(source.certificate), X-Forwarded-Proto: '"https"'}`,
  ],
  [
    "faults by chance and by a header",
    bind(
      `
    - matches: [{path: {pathPrefix: /a}}]
      policies: {delay: {conditional: [{condition: random() < 0.1, duration: 2s}]}}
      backends: [{host: 'a:1'}]
    - matches: [{path: {pathPrefix: /b}}]
      policies: {directResponse: {conditional: [{condition: 'request.headers["x-chaos"] == "1"', status: 503, body: no}]}}
      backends: [{host: 'a:1'}]`.replace("body: no", "body: 'no'"),
    ),
  ],
  [
    "so many requests in a unit of time, and a limit kept by a service",
    `config: {tracing: {otlpEndpoint: 'http://localhost:4317', randomSampling: true}}
${bind(`
    - policies:
        localRateLimit: [{type: requests, limit: 50, unit: seconds}]
        remoteRateLimit:
          domain: d
          host: 127.0.0.1:8081
          failureMode: failOpen
          descriptors: [{entries: [{key: user, value: '"ann"'}], type: requests}]
      backends: [{host: 'a:1'}]`)}`,
  ],
  [
    "a place in the line for one condition and not for others",
    bind(`
    - policies:
        concurrencyLimit:
          conditional:
          - {condition: 'request.headers["x-tier"] == "gold"', maxConcurrent: 8}
          - {maxConcurrent: 1}
      backends: [{host: 'a:1'}]`),
  ],
  [
    "limits of callers of models",
    `llm:
  policies:
    concurrencyLimit: [{maxConcurrent: 4, key: jwt.sub}]
    timeout: {requestTimeout: 30s, backendRequestTimeout: 25s}
  models: [{name: m, provider: openai, params: {baseUrl: 'http://vllm.internal:8000/v1'}}]`,
  ],
  [
    "keys as hashes, and who has them",
    bind(`
    - policies:
        apiKey:
          mode: strict
          keys:
          - {keyHash: 'sha256:1311f8fc80a7ea28d78dd7723f09c44c1754cd35160ca8e7133ae3d7f636a19a', metadata: {group: sales}}
          - {key: plain}
      backends: [{host: 'a:1'}]`),
  ],
  [
    "a service that trades tokens, by expressions",
    `frontendPolicies: {accessLog: {add: {subject: extauthz.subject}}}
${bind(`
    - policies:
        extAuthz:
          host: localhost:7080
          cache: {key: ['request.headers["authorization"]'], ttl: extauthz.expires - 5, maxEntries: 1024}
          protocol:
            http:
              path: '"/token"'
              addRequestHeaders: {':method': '"POST"', authorization: '"Basic " + base64.encode("a:b")'}
              body: 'form.encode({"subject_token": request.headers["authorization"].split(" ")[1]})'
              metadata:
                token: json(response.body).access_token
                subject: unvalidatedJwtPayload(json(response.body).access_token).sub
                expires: unvalidatedJwtPayload(json(response.body).access_token).exp
        transformations: {request: {set: {authorization: '"Bearer " + extauthz.token'}}}
      backends: [{host: 'a:1'}]`)}`,
  ],
  [
    "a login page elsewhere, with the protocol as a word and its settings beside it",
    bind(`
    - policies:
        extAuthz:
          host: localhost:4180
          protocol: http
          redirect: '"/oauth2/start?rd=/"'
          includeResponseHeaders: [x-auth-request-email]
      backends: [{host: 'a:1'}]`),
  ],
  [
    "tokens traded at an endpoint in a field of its own, and a backend named without its slash",
    `${bind(`
    - backends:
      - host: api.internal.example.com:443
        policies:
          backendTLS: {}
          backendAuth:
            oauth:
              tokenEndpoint: {backend: issuer}
              tokenEndpointPath: /oauth2/v2.0/token
              grantType: jwtBearer
              scopes: [offline_access]
              clientAuth: {clientId: a, clientSecret: b, method: clientSecretPost}
              additionalParams: {requested_token_use: '"on_behalf_of"'}`)}
backends: [{name: issuer, host: 'login.example.com:443', policies: {backendTLS: {}}}]`,
  ],
  [
    "access across applications, in its older words",
    bind(`
    - policies:
        backendAuth:
          xaa:
            idp: {host: 'idp.example.com:443', tokenEndpointPath: /token, clientAuth: {clientId: a, clientSecret: b}}
            resourceAs: {host: 'as.example.com:443', tokenEndpointPath: /token, clientAuth: {clientId: a, clientSecret: b}}
            audience: https://chat.example.com/
            resources: [https://api.chat.example.com/]
            scopes: [chat.read]
            cache: {defaultTtl: 1h}
      backends: [{host: 'api.chat.example.com:443'}]`),
  ],
  [
    "several headers that show who is calling",
    bind(`
    - matches: [{path: {pathPrefix: /a}}]
      backends:
      - host: a.example.com:443
        policies: {backendAuth: {headers: [{name: dd-api-key, value: one}, {name: x-auth-token, prefix: 'Bearer ', value: two}]}}
    - matches: [{path: {pathPrefix: /b}}]
      backends:
      - host: b.example.com:443
        policies: {backendAuth: {key: {value: main}, headers: [{name: x-auth-email, value: ann@example.com}]}}`),
  ],
  [
    "an agent behind AWS, called as whoever asked",
    bind(`
    - policies: {jwtAuth: {mode: strict, issuer: 'https://i.test/', audiences: [a], jwks: {url: 'https://i.test/keys'}}}
      backends:
      - aws: {agentCore: {agentRuntimeArn: 'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/r-1'}}
        policies: {transformations: {request: {set: {X-Amzn-Bedrock-AgentCore-Runtime-User-Id: jwt.sub}}}}`),
  ],
  [
    "a role of AWS that carries who asked",
    bind(`
    - policies: {jwtAuth: {issuer: i.test, audiences: [a], jwks: {url: 'https://i.test/keys'}}}
      backends:
      - ai:
          name: bedrock
          provider: {bedrock: {region: us-east-1, model: 'amazon.nova-micro-v1:0', requestMetadata: [{key: user, expression: jwt.sub}, {key: environment, value: prod}]}}
          policies:
            backendAuth:
              aws:
                assumeRole:
                  roleArn: arn:aws:iam::123456789012:role/r
                  sessionName: {expression: jwt.sub}
                  tags: [{key: user, expression: jwt.sub}, {key: environment, value: prod}]`),
    ["no mode"],
  ],
  [
    "which models there are, and which path is what",
    bind(`
    - backends: [{ai: {name: openai, provider: {openAI: {}}}}]
      policies:
        ai:
          models: [{id: gpt-4o-mini, ownedBy: openai, created: 1704067200}]
          routes: {/v1/models: Models, /v1/chat/completions: Completions}`),
  ],
  [
    "guards of every older and newer spelling",
    bind(`
    - backends: [{ai: {name: openai, provider: {openAI: {model: gpt-4o-mini}}}}]
      policies:
        ai:
          promptGuard:
            request:
            - azureContentSafety: {endpoint: x.cognitiveservices.azure.com, severityThreshold: 2}
            - webhook: {target: {host: '127.0.0.1:8080'}, forwardHeaderMatches: [{name: x-user, value: {regex: '.*'}}]}
              rejection: {status: 400, headers: {set: {content-type: application/json}}, body: '{}'}
            - regex: {action: mask, rules: [{builtin: email}, {pattern: '(?i)\\bpwned\\b'}]}`),
  ],
  [
    "guards by name, keys without any, and models by headers",
    `llm:
  guardrails: {pii: {request: [{regex: {action: reject, rules: [{builtin: email}]}, rejection: {status: 400}}]}}
  policies:
    localRateLimit: [{type: tokens, fillInterval: 1s, tokensPerFill: 10, maxTokens: 100}]
    jwtAuth: {issuer: a.test, audiences: [b], jwks: '{"keys":[]}'}
    authorization: {rules: ['jwt.email.endsWith("@example.com")']}
  models:
  - name: claude-3-haiku
    provider: anthropic
    params: {model: claude-haiku-4-5, apiKey: k, baseUrl: 'https://anthropic.internal/v1', tokenize: true}
    responseHeaders: {remove: [server]}
    health: {unhealthyExpression: response.code >= 500 || response.code == 429, eviction: {duration: 30s}}
    matches: [{headers: [{name: X-Org, value: {exact: engineering}}]}]
    promptCaching: {cacheSystem: true, cacheMessages: true, minTokens: 1}
  - {name: '*', provider: vertex, params: {model: m, apiKey: k, vertexRegion: global, vertexProject: p}}
  - {name: gpt-7, provider: azure, params: {azureResourceName: r, azureResourceType: openAI, azureApiVersion: v1}}
  - {name: gpt-3.5, provider: openAI, guardrails: pii}`,
    ["no mode", "no keys"],
  ],
  [
    "models that stand for others",
    `llm:
  models:
  - {name: openai/a, provider: openAI, params: {model: a, apiKey: $OPENAI_API_KEY}}
  - name: anthropic/*
    visibility: internal
    provider: anthropic
    params: {apiKey: k}
    transformation: {model: 'llmRequest.model.stripPrefix("anthropic/")'}
  virtualModels:
  - {name: resilient, routing: {failover: {targets: [{model: openai/a, priority: 0}, {model: anthropic/b, priority: 1}]}}}
  - {name: split, routing: {weighted: {targets: [{model: openai/a, weight: 90}, {model: anthropic/b, weight: 10}]}}}
  - {name: rules, routing: {conditional: {targets: [{when: 'request.headers["x-a"] == "1"', model: openai/a}, {model: anthropic/b}]}}}`,
  ],
  [
    "providers that are asked how they are",
    `llm:
  providers:
  - name: vllm
    provider: {custom: {formats: [{type: completions}]}}
    params: {baseUrl: 'http://vllm.internal:8000/v1'}
    defaults: {health: {active: {path: /health, interval: 5s, timeout: 2s, unhealthyThreshold: 2}}}
  models:
  - {name: qwen3, provider: {reference: vllm}, params: {model: Qwen/Qwen3-32B}}
  - name: llama
    provider: {custom: {formats: [{type: completions}]}}
    params: {baseUrl: 'http://llama.internal:8000/v1'}
    health:
      unhealthyExpression: response.code >= 500
      eviction: {duration: 30s, restoreHealth: 1.0}
      active: {interval: 15s, healthyThreshold: 2, expectedStatuses: [200, 204]}`,
  ],
  [
    "a webhook that shortens what is said",
    `llm:
  models:
  - name: '*'
    provider: openAI
    params: {apiKey: $OPENAI_API_KEY}
    guardrails:
      request: [{webhook: {target: {host: '127.0.0.1:8787'}, messageFormat: raw, path: /v1/compress, minSizeBytes: 16384}}]`,
  ],
  [
    "one gateway for models, tools and what they cost",
    `config:
  database: {url: 'postgresql://a:b@localhost:4333/agentgateway'}
  modelCatalog: [{inline: {providers: {openai: {models: {m: {rates: {input: '1', output: '2', cacheRead: '0.5'}}}}}}}]
gateways: {public: {port: 3000}}
llm:
  gateways: [public]
  policies:
    apiKey: {keys: [{key: k, metadata: {name: a, owner: platform}}], mode: strict, location: {header: {name: authorization, prefix: 'Bearer '}}}
  providers: [{name: openai, provider: openAI, params: {apiKey: $OPENAI_API_KEY}}]
  models: [{name: gpt-4o-mini, provider: {reference: openai}, params: {model: gpt-4o-mini}}]
mcp:
  gateways: [public]
  ${stdio}`,
  ],
  [
    "a class of cost worked out from the body",
    `llm:
  port: 4000
  policies:
    transformations:
      request:
        set: {x-class: 'default(json(request.body).max_tokens, 1024) > 4096 ? "premium" : "economy"'}
  models:
  - {name: smart, provider: openAI, params: {model: a, apiKey: k}, matches: [{headers: [{name: x-class, value: {exact: economy}}]}], requestHeaders: {remove: [x-class]}}
  - {name: smart, provider: openAI, params: {model: b, apiKey: k}, matches: [{headers: [{name: x-class, value: {exact: premium}}]}]}`,
  ],
  [
    "a processor that sees whole requests and replies of models",
    `config: {readinessAddr: '0.0.0.0:15021'}
llm:
  port: 3000
  policies:
    extProc:
      host: semantic-router:50051
      failureMode: failClosed
      processingOptions:
        {requestHeaderMode: send, requestBodyMode: buffered, responseBodyMode: buffered, requestTrailerMode: send, allowModeOverride: true}
  models: [{name: m, provider: openAI, params: {baseUrl: 'http://support:8080/v1'}}]`,
  ],
  ["copilot", "llm: {models: [{name: gpt-5.4, provider: copilot, params: {model: gpt-5.4}}]}"],
  ["a preset that needs nothing", "llm: {port: 4000, models: [{name: '*', provider: ollama}]}"],
  [
    "native Gemini of Vertex",
    "llm: {port: 4000, models: [{name: 'gemini-*', provider: vertex, params: {vertexProject: $VERTEX_PROJECT, vertexRegion: global}}]}",
  ],
  [
    "an agent whose log has its fields in an older place",
    `frontendPolicies: {logging: {fields: {add: {backend: backend.name}}}}
${bind(`
    - policies: {cors: {allowOrigins: ['*']}, a2a: {}}
      backends: [{host: 'localhost:9999'}]`)}`,
  ],
  [
    "addresses that may pass, and those that may not",
    `binds:
- port: 3000
  listeners:
  - policies: {ipAccessControl: {deny: [198.51.100.0/24], skipPrivateIps: true, enforceFullChain: true, maxXffLength: 20}}
    routes:
    - name: inside
      matches: [{path: {pathPrefix: /inside}}]
      policies: {ipAccessControl: {allow: [10.0.0.0/8, '2001:db8::/32'], xffNumTrustedHops: 2}}
      backends: [{host: 'a:1'}]`,
  ],
  [
    "guesses at what is an injection",
    bind(`
    - backends: [{ai: {name: openai, provider: {openAI: {model: m}}}}]
      policies: {ai: {promptGuard: {request: [{promptInjection: {threshold: 0.33, action: reject}, rejection: {status: 400}}]}}}`),
  ],
  [
    "services by their parts, and bytes for a text",
    `services: [{name: s, namespace: ns, hostname: h.test, vips: [], ports: {'80': 8080}}]
workloads: []
${bind(`
    - matches: [{path: {exact: /s}}]
      backends: [{service: {name: {namespace: ns, hostname: h.test}, port: 80}}]
    - policies: {directResponse: {status: 200, body: [104, 105]}}`)}`,
  ],
]

describe("shapes of configurations", () => {
  it.each(shapes.map(([name, text, said = []]) => ({ name, text, said })))("$name", async ({ said, text }) => {
    const found = (await issuesOf(text, { files, env })).map((issue) => format(issue, "f"))
    expect(found.map((line) => (noKeys.test(line) ? "no keys" : noMode.test(line) ? "no mode" : line))).toEqual(said)
  })
})

/** What stands on a route, and what stands on its backend. */
const routed = (policies: string, more = ""): string =>
  `gateways: {default: {port: 1}}\nroutes: [{policies: ${policies}, backends: [{host: 'a:1'}]}]\n${more}`

describe("older spellings", () => {
  const issuer = "backends: [{name: issuer, host: 'i:443'}]"
  const proof = "clientAuth: {clientId: a, clientSecret: b}"
  it.each([
    {
      name: "a backend without its slash",
      older: `gateways: {default: {port: 1}}\nroutes: [{backends: [{backend: issuer}]}]\n${issuer}`,
      newer: `gateways: {default: {port: 1}}\nroutes: [{backends: [{backend: /issuer}]}]\n${issuer}`,
    },
    {
      name: "`oauth`",
      older: routed(
        `{backendAuth: {oauth: {tokenEndpoint: {backend: issuer}, tokenEndpointPath: /t, scopes: [s], ${proof}}}}`,
        issuer,
      ),
      newer: routed(`{backendAuth: {oauthTokenExchange: {backend: /issuer, path: /t, scopes: [s], ${proof}}}}`, issuer),
    },
    {
      name: "`xaa`",
      older: routed(
        `{backendAuth: {xaa: {idp: {host: 'i:1', ${proof}}, resourceAs: {host: 'r:1', tokenEndpointPath: /t}, audience: u}}}`,
      ),
      newer: routed(
        `{backendAuth: {crossAppAccess: {identityProvider: {host: 'i:1', ${proof}}, resourceAuthorizationServer: {host: 'r:1', path: /t}, audience: u}}}`,
      ),
    },
    {
      name: "`headers` of `backendAuth`",
      older: routed("{backendAuth: {key: k, headers: [{name: x-a, value: one, prefix: 'P '}]}}"),
      newer: routed(
        "{backendAuth: {key: k, credentials: [{location: {header: {name: x-a, prefix: 'P '}}, key: one}]}}",
      ),
    },
    {
      name: "the protocol of `extAuthz` as a word",
      older: routed(`{extAuthz: {host: 'e:1', protocol: http, path: '"/p"', includeResponseHeaders: [x-a]}}`),
      newer: routed(`{extAuthz: {host: 'e:1', protocol: {http: {path: '"/p"', includeResponseHeaders: [x-a]}}}}`),
    },
    {
      name: "gRPC as a word",
      older: routed("{extAuthz: {host: 'e:1', protocol: GRPC, context: {a: b}}}"),
      newer: routed("{extAuthz: {host: 'e:1', protocol: {grpc: {context: {a: b}}}}}"),
    },
    {
      name: "the fields of a log in an older place",
      older: `frontendPolicies: {logging: {fields: {add: {a: '"b"'}, remove: [x]}}}\n${routed("{}")}`,
      newer: `frontendPolicies: {accessLog: {add: {a: '"b"'}, remove: [x]}}\n${routed("{}")}`,
    },
    {
      name: "bytes for a text",
      older: routed("{directResponse: {status: 200, body: [104, 105]}}"),
      newer: routed("{directResponse: {status: 200, body: hi}}"),
    },
    {
      name: "an expression inside a map",
      older: routed(
        "{apiKey: {keys: [{key: k}], location: {expression: {expression: 'request.headers[\"x-k\"]'}}, mode: strict}}",
      ),
      newer: routed("{apiKey: {keys: [{key: k}], location: {expression: 'request.headers[\"x-k\"]'}, mode: strict}}"),
    },
    {
      name: "a duration in its parts",
      older: routed("{tcp: {keepalives: {enabled: true}, connectTimeout: {secs: 1, nanos: 500000000}}}"),
      newer: routed("{tcp: {keepalives: {enabled: true}, connectTimeout: 1500ms}}"),
    },
    {
      name: "bytes of a rejection",
      older: guarded("{regex: {rules: [{builtin: email}]}, rejection: {body: [110, 111]}}"),
      newer: guarded("{regex: {rules: [{builtin: email}]}, rejection: {body: 'no'}}"),
    },
    {
      name: "an address of an MCP server without a scheme",
      older: "mcp: {targets: [{name: a, mcp: {host: 'h:8080'}}]}",
      newer: "mcp: {targets: [{name: a, mcp: {host: 'http://h:8080'}}]}",
    },
    {
      name: "a threshold beside the endpoint",
      older: guarded("{azureContentSafety: {endpoint: e.test, severityThreshold: 2}}"),
      newer: guarded("{azureContentSafety: {endpoint: e.test, analyzeText: {severityThreshold: 2}}}"),
    },
  ])("$name means what the newer one means", ({ newer, older }) => {
    const [a, b] = [mapped(older), mapped(newer)]
    expect(a.complaints).toEqual([])
    expect(plainly(a)).toEqual(plainly(b))
  })
})

/** Of a snapshot; what a document is called in memory says nothing of what it means. */
const plainly = ({ snapshot }: ReturnType<typeof mapped>): unknown => {
  const { attachments, backends, routes } = snapshot
  return { attachments: [...attachments.values()], backends: [...backends.values()], routes: [...routes.values()] }
}

function guarded(guard: string): string {
  return `llm: {models: [{name: m, provider: openAI, guardrails: {request: [${guard}]}}]}`
}

describe("what cannot be meant", () => {
  it.each([
    { name: "a word on `oidc`", text: routed("{oauth2: {issuer: i}}"), said: "Use `oidc`." },
    { name: "a word on MCP guards", text: routed("{extMcp: {drivers: []}}"), said: "Use `mcpGuardrails`" },
    { name: "why signed requests are not verified", text: routed("{aauth: {}}"), said: "`jwtAuth`" },
    { name: "where prices are written", text: `config: {pricing: {}}\n${routed("{}")}`, said: "`config.modelCatalog`" },
    {
      name: "that an endpoint picker is not built",
      text: `gateways: {default: {port: 1}}
services: [{name: s, namespace: n, hostname: h, vips: [], ports: {'80': 80}}]
routes: [{backends: [{service: {name: n/h, port: 80}, policies: {inferenceRouting: {endpointPicker: {host: 'e:1'}}}}]}]`,
      said: "`inferenceRouting` policies are not built yet",
    },
    {
      name: "that settings of HTTP have no place beside gRPC",
      text: routed("{extAuthz: {host: 'e:1', protocol: grpc, redirect: '\"/\"'}}"),
      said: "`redirect` has no effect here",
    },
    {
      name: "two places for one threshold",
      text: guarded("{azureContentSafety: {endpoint: e, severityThreshold: 1, analyzeText: {severityThreshold: 2}}}"),
      said: "is set too",
    },
    {
      name: "that tools of clients are not run",
      text: "llm: {models: [{name: m, provider: ollama, serverTools: {tools: []}}]}",
      said: "not run by the gateway",
    },
    { name: "a range that is none", text: routed("{ipAccessControl: {allow: [10.0.0.1]}}"), said: "is no range" },
    {
      name: "who is asked how it is",
      text: routed("{health: {active: {path: /}}}"),
      said: "asks providers of models",
    },
    {
      name: "a webhook of replies that shortens",
      text: guarded("{regex: {rules: []}}], response: [{webhook: {target: {host: 'w:1'}, messageFormat: raw}}"),
      said: "for requests only",
    },
    {
      name: "a pause that is none",
      text: "llm: {models: [{name: m, provider: ollama, health: {active: {interval: 10ms}}}]}",
      said: "that is no pause",
    },
  ])("is refused with $name", async ({ said, text }) => {
    const lines = (await issuesOf(text, { files, env })).map((issue) => format(issue, "f"))
    expect(lines.join("\n")).toContain(said)
  })
})
