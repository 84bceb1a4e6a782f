import { describe, expect, it } from "vitest"
import { notBuilt } from "../../src/config/local/built.ts"
import { format, formatAll, toJson } from "../../src/config/ConfigIssue.ts"
import { issuesOf, linesOf, loadedOf } from "./memoryIo.ts"
import { certificate, key, strangerKey } from "./pem.ts"

const files = {
  "cert.pem": certificate,
  "key.pem": key,
  "both.pem": `${key}${certificate}`,
  "two-keys.pem": `${key}${strangerKey}`,
  "stranger.pem": strangerKey,
  "empty.pem": "",
}

/** Text of the file, then what is said about it, line by line. */
type Case = readonly [name: string, text: string, said: ReadonlyArray<string>]

const table = (cases: ReadonlyArray<Case>) =>
  it.each(cases)("%s", async (_name, text, said) => {
    expect(await linesOf(text, { files })).toEqual(said)
  })

const route = "routes: [{backends: [{host: 'a:1'}]}]"

describe("a remedy", () => {
  const remedies = async (policies: string) =>
    (
      await issuesOf(`gateways: {default: {port: 1}}\nroutes: [{policies: {${policies}}, backends: [{host: 'a:1'}]}]`)
    ).map((one) => format(one, "a").replace(/^\S+ routes\[0\]\.policies\./, ""))
  it.each([
    [
      "names the keys of a map",
      "timeout: 5s",
      "timeout: expected a map, found a string. Its keys are `requestTimeout`, ",
    ],
    ["knows a list by its dashes", "retry: {codes: 503}", "retry.codes: expected a list, found a number. Begin each "],
    ["takes quotes away", "retry: {codes: ['503']}", "retry.codes[0]: expected a number, found a string. Remove the"],
    [
      "puts quotes around",
      "requestRedirect: {scheme: 5}",
      "requestRedirect.scheme: expected a string, found a number. Put",
    ],
    ["knows what YAML once took for true", "cors: {allowCredentials: yes}", "found a string. Write `true` or `false`"],
    [
      "is of the shape that is nearly right",
      "jwtAuth: {issuers: a, jwks: '{}'}",
      "unknown field `issuers`. Did you mean `issuer`?",
    ],
  ])("%s", async (_name, policies, said) => {
    expect((await remedies(policies)).filter((line) => !line.includes("warning"))).toEqual([
      expect.stringContaining(said),
    ])
  })

  it("says where a file is looked for", async () => {
    const said = (await remedies("backendTLS: {root: ca.pem}")).concat(await remedies("backendTLS: {root: ~/ca.pem}"))
    expect(said).toEqual([
      "backendTLS.root: cannot read ca.pem: there is no such file. Check the path, which is taken from the directory the process was started in, and its permissions.",
      "backendTLS.root: cannot read ~/ca.pem: there is no such file. A `~` stands for nothing here: write `$HOME`.",
    ])
  })

  it("is not of a shape that nobody means", async () => {
    expect(await remedies("localRateLimit: {maxTokens: 1, tokensPerFill: 1}")).toEqual([
      "localRateLimit: expected a list, or a map with `conditional`. Begin each entry of the list with `- `.",
    ])
    expect((await remedies("remoteRateLimit: {a: 1}")).join("\n")).toContain("remoteRateLimit.domain is required")
  })
})

describe("values that nothing could be done with", () => {
  const routed = (policies: string, more = "") =>
    `gateways: {default: {port: 1}}\nroutes:\n- {matches: [{path: {pathPrefix: /}}], ${more}policies: {${policies}}, backends: [{host: 'a:1'}]}`
  table([
    [
      "headers and methods of CORS that are none, and origins that no page has",
      routed(
        "cors: {allowOrigins: ['*', 'null', 'https://*.a.com:*', 'https://a.com/', a.com], allowHeaders: ['*', x-a, 'a b'], allowMethods: [GET, \"G\\n\"], exposeHeaders: [\"a\\r\\nb: c\"]}",
      ),
      [
        '3:107 routes[0].policies.cors.allowOrigins[3]: no page comes from "https://a.com/"',
        '3:125 routes[0].policies.cors.allowOrigins[4]: no page comes from "a.com"',
        '3:158 routes[0].policies.cors.allowHeaders[2]: "a b" is not a header name',
        '3:186 routes[0].policies.cors.allowMethods[1]: "G\\n" is not a method',
        '3:210 routes[0].policies.cors.exposeHeaders[0]: "a\\r\\nb: c" is not a header name',
      ],
    ],
    [
      "an address to send clients to",
      routed("requestRedirect: {scheme: 'ht tp'}"),
      ['3:77 routes[0].policies.requestRedirect.scheme: "ht tp" is not a scheme'],
    ],
    [
      "a path and an authority to send to",
      `${routed("urlRewrite: {path: {full: '/a b'}}")}\n- {matches: [{path: {exact: /b}}], policies: {urlRewrite: {authority: {full: "a b"}}}, backends: [{host: 'a:1'}]}`,
      [
        '3:77 routes[0].policies.urlRewrite.path.full: "/a b" is not a path',
        '4:78 routes[1].policies.urlRewrite.authority.full: "a b" is not an authority',
      ],
    ],
    [
      "headers that belong to the connection, wherever they are written",
      `${routed("requestHeaderModifier: {set: {connection: a}}, responseHeaderModifier: {add: {content-length: '5'}}, transformations: {request: {set: {upgrade: request.method}}}")}\npolicies: [{name: {name: p, namespace: n}, target: {gateway: {gatewayName: default, gatewayNamespace: default}}, policy: {directResponse: {status: 200, headers: {trailer: request.method}}}}]`,
      [
        "3:93 routes[0].policies.requestHeaderModifier.set.connection: connection belongs to the connection and cannot be set",
        "3:145 routes[0].policies.responseHeaderModifier.add.content-length: content-length belongs to the connection and cannot be set",
        "3:195 routes[0].policies.transformations.request.set.upgrade: upgrade belongs to the connection and cannot be set",
        "4:172 policies[0].policy.directResponse.headers.trailer: trailer belongs to the connection and cannot be set",
      ],
    ],
    [
      "a header value that no header carries",
      routed("requestHeaderModifier: {set: {x-a: ☃, x-b: é}}"),
      [
        "3:86 routes[0].policies.requestHeaderModifier.set.x-a: a header carries no control characters and none beyond Latin-1",
      ],
    ],
    [
      "a method that no request has, an empty name, and a host name with a control character",
      routed("timeout: {}", 'name: "", hostnames: ["a\\u0001b"], ').replace(
        "pathPrefix: /}",
        "pathPrefix: /}, method: 'G T'",
      ),
      [
        "3:46 routes[0].matches[0].method: expected a method",
        "3:55 routes[0].name: cannot be empty",
        '3:77 routes[0].hostnames[0]: "a\\u0001b" is not a host name',
      ],
    ],
    [
      "what is to be empty and is not",
      routed(
        "mcpAuthentication: {issuer: 'https://a.b/', audiences: [a], provider: {keycloak: {realm: x}}, resourceMetadata: {resource: 'https://a.c/'}}",
      ),
      ["3:133 routes[0].policies.mcpAuthentication.provider.keycloak.realm: unknown field `realm`"],
    ],
    [
      "protocols that no handshake can name",
      `frontendPolicies: {tls: {alpn: [[104, 500], '']}}\n${routed("backendTLS: {alpn: ['']}")}`,
      [
        "1:39 frontendPolicies.tls.alpn[0][1]: expected a byte, 0 to 255",
        "1:45 frontendPolicies.tls.alpn[1]: the name of a protocol has 1 to 255 bytes",
        "4:71 routes[0].policies.backendTLS.alpn[0]: the name of a protocol has 1 to 255 bytes",
      ],
    ],
    [
      "sizes that HTTP/2 does not have, and times in which no client can do anything",
      "frontendPolicies: {http: {http2FrameSize: 5, http2WindowSize: 4294967295, http2ConnectionWindowSize: 0, http1MaxHeaders: 0, http1IdleTimeout: 0s, http2KeepaliveInterval: 0}, tls: {handshakeTimeout: 0}}",
      [
        "1:43 frontendPolicies.http.http2FrameSize: expected a whole number from 16384 to 16777215",
        "1:63 frontendPolicies.http.http2WindowSize: expected a whole number from 1 to 2147483647",
        "1:102 frontendPolicies.http.http2ConnectionWindowSize: expected a whole number from 1 to 2147483647",
        "1:122 frontendPolicies.http.http1MaxHeaders: expected a whole number from 1 to 4294967295",
        "1:143 frontendPolicies.http.http1IdleTimeout: expected a time above 0",
        "1:171 frontendPolicies.http.http2KeepaliveInterval: expected a time above 0",
        "1:199 frontendPolicies.tls.handshakeTimeout: expected a time above 0",
      ],
    ],
    [
      "headers to hide whose names are none",
      "config: {sensitiveHeaders: [x-ok, 'x bad', '']}",
      [
        "1:35 config.sensitiveHeaders[1]: expected the name of a header",
        "1:44 config.sensitiveHeaders[2]: expected the name of a header",
      ],
    ],
    [
      "a Redis that is none, without the text, which may hold a password",
      "config: {redis: {url: 'secret@host'}}",
      ["1:23 config.redis.url: expected the URL of a Redis"],
    ],
    [
      "a catalogue of prices, at each of its mistakes",
      "config:\n  modelCatalog:\n  - inline: {providers: {o: {models: {m: {rates: {input: x, inptu: '1'}, tiers: 5}}}}}\n  - inline: '{'\n  - inline: '{\"providers\": {\"o\": 5}}'",
      [
        '3:58 config.modelCatalog[0].inline.providers.o.models.m.rates.input: expected a decimal such as "2.50"',
        "3:61 config.modelCatalog[0].inline.providers.o.models.m.rates.inptu: unknown field `inptu`",
        "3:81 config.modelCatalog[0].inline.providers.o.models.m.tiers: expected a list, found a number",
        "4:13 config.modelCatalog[1].inline: is not JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)",
        "5:13 config.modelCatalog[2].inline: providers.o: expected a map, found a number",
      ],
    ],
  ])

  it("are not host names beyond ASCII: clients send them as DNS has them", async () => {
    const { snapshot } = await loadedOf(routed("timeout: {}", "hostnames: [Bücher.example, '*.bücher.example'], "))
    expect([...snapshot.routes.values()][0]?.hostnames).toEqual(["xn--bcher-kva.example", "*.xn--bcher-kva.example"])
  })
})

describe("what is wrong", () => {
  it("is one line that can be read, whatever the file says", async () => {
    const text = `gateways: {default: {port: 1}}\nroutes: [{gateways: "\\e[2J\\nb", policies: {timeout: {requestTimeout: ${"x".repeat(100_000)}}}}]`
    const lines = (await issuesOf(text)).map((one) => format(one, "a.yaml"))
    expect(lines[0]).toMatch(/^a\.yaml:2:21 routes\[0\]\.gateways: unknown gateway reference \\u001b\[2J\\nb\. /)
    expect(lines[1]).toMatch(/^a\.yaml:2:70 [^ ]+: "x{199} … x+" is not a duration\. Write a number with a unit/)
    expect(lines.join("")).toHaveLength(lines.join("").replaceAll(/[\0-\x1f]/g, "").length)
  })
})

describe("structure", () => {
  table([
    ["an unknown key suggests the one that was meant", "gatewys: {}", ["1:1 gatewys: unknown field `gatewys`"]],
    ["a missing port is named", "gateways:\n  web: {}", ["2:8 gateways.web.port: gateways.web.port is required"]],
    [
      "the wrong kind of value",
      "gateways: {a: {port: '80'}}",
      ["1:22 gateways.a.port: expected a number, found a string"],
    ],
    ["a list where a map belongs", "gateways: []", ["1:11 gateways: expected a map, found a list"]],
    [
      "a number where text belongs",
      "gateways: {default: {port: 1}}\nroutes: [{name: 5, policies: {directResponse: {status: 200}}}]",
      ["2:17 routes[0].name: expected a string, found a number"],
    ],
    [
      "a port out of range",
      "gateways: {a: {port: 65536}}",
      ["1:22 gateways.a.port: expected a port number from 1 to 65535"],
    ],
    [
      "an enum lists what there is",
      "gateways: {a: {port: 1, protocol: htps}}",
      ['1:35 gateways.a.protocol: unknown value "htps"'],
    ],
    [
      "an empty value is said aloud and left out",
      `gateways: {default: {port: 1, cors: }}\n${route}`,
      ["1:31 gateways.default.cors: is empty and has no effect"],
    ],
    ["nothing at all, as in a file that is just being written", " \n", ["1:1 : there is nothing in it"]],
    ["nothing on purpose", "{}", []],
    ["not a map at all", "- a", ["1:1 : expected a map, found a list"]],
  ])

  table([
    [
      "a required key that is misspelt is one mistake",
      "gateways: {default: {prt: 1}}\nbackends: [{nme: a, host: 'a:1'}]",
      ["1:22 gateways.default.prt: unknown field `prt`", "2:13 backends[0].nme: unknown field `nme`"],
    ],
    [
      "what names something in a section that could not be read is not complained about",
      "gatewys: {default: {port: 1}}\nbackends: {a: b}\nrouteGroups: [{name: 5, routes: []}]\nservices: 5\nroutes: [{backends: [{backend: a}, {routeGroup: g}, {service: {name: a/b, port: 1}}]}]\nworkloads: [{name: w, namespace: n, workloadIps: [], services: {a/b: {}}}]",
      [
        "1:1 gatewys: unknown field `gatewys`",
        "2:11 backends: expected a list, found a map",
        "3:22 routeGroups[0].name: expected a string, found a number",
        "4:11 services: expected a list, found a number",
      ],
    ],
    [
      "nor what a gateway that could not be read in full is for",
      "gateways: {a: {port: 1, protocol: tpc}, b: {port: 2, listners: [{protocol: TCP}]}, default: {port: 3, protocol: TSL}}\ntcpRoutes: [{gateways: [a, b], backends: [{host: 'a:1'}]}, {backends: [{host: 'a:1'}]}]",
      [
        '1:35 gateways.a.protocol: unknown value "tpc"',
        "1:54 gateways.b.listners: unknown field `listners`",
        '1:113 gateways.default.protocol: unknown value "TSL"',
      ],
    ],
    [
      "and neither is one whose own name is wrong",
      "gateways: {default: {port: 1}}\nbackends: [{nam: a, host: 'a:1'}]\nroutes: [{backends: [{backend: a}]}]",
      ["2:13 backends[0].nam: unknown field `nam`"],
    ],
  ])

  it("says everything at once, whichever step finds it", async () => {
    const text = `
gateways:
  web: {port: 80800}
  api: {port: 8080, listners: []}
routes:
  - name: a
    gateways: nowhere
    policies:
      timeout: {requestTimeout: 10}
    backends:
      - host: localhost
      - host: \${UNSET}:80
  - gateways: web
    backends: [{backend: missing}]
  - gateways: api
    policies: {oidc: {issuer: x, clientId: y, clientSecret: z, redirectURI: https://a/b}}
config: {adminAddr: nonsense}
`
    expect(await linesOf(text)).toEqual([
      "3:15 gateways.web.port: expected a port number from 1 to 65535",
      "4:21 gateways.api.listners: unknown field `listners`",
      "7:15 routes[0].gateways: unknown gateway reference nowhere",
      '9:33 routes[0].policies.timeout.requestTimeout: the duration "10" has no unit',
      "11:15 routes[0].backends[0].host: invalid host:port: localhost",
      "12:15 routes[0].backends[1].host: environment variable not found: UNSET",
      "14:26 routes[1].backends[0].backend: unknown backend `missing`",
      "16:22 routes[2].policies.oidc: there is nothing to seal cookies with",
      '17:21 config.adminAddr: "nonsense" is not an address',
    ])
  })

  it("names the variable that a wrong value came of, and says no word of what it is", async () => {
    const text = "gateways: {web: {port: '${PORT}'}}\nconfig: {adminAddr: $ADDRESS, statsAddr: '${UNSET:-nonsense}:x'}"
    expect(await linesOf(text, { env: { PORT: "hunter2", ADDRESS: "" } })).toEqual([
      "1:24 gateways.web.port: expected a number, found a string (from `$PORT`)",
      "2:21 config.adminAddr: is empty and has no effect (from `$ADDRESS`)",
      '2:42 config.statsAddr: "nonsense:x" is not an address',
    ])
  })

  it("does not blame a reference for what it refers to", async () => {
    const text =
      "gateways: {web: {port: x}}\nbackends: [{name: b}]\nroutes: [{gateways: web, backends: [{backend: /b}]}]"
    expect(await linesOf(text)).toEqual([
      "1:24 gateways.web.port: expected a number, found a string",
      "2:12 backends[0]: exactly one of `host`, `internal`, `mcp`, `ai`, `aws`, `a2a` must be set",
    ])
  })

  it("nor a route for the gateway that it belongs to unless it says otherwise", async () => {
    const text = "gateways: {default: {port: x}}\nroutes: [{backends: [{backend: missing}]}]\nmcp: {targets: []}"
    expect(await linesOf(text)).toEqual([
      "1:28 gateways.default.port: expected a number, found a string",
      "2:32 routes[0].backends[0].backend: unknown backend `missing`",
    ])
  })

  it("tells of a wrong expression beside whatever else is wrong", async () => {
    const text =
      "gateways: {default: {port: 1}}\nroutes: [{policies: {authorization: {rules: ['request.nope']}}, backends: [{host: bad}]}]"
    expect(await linesOf(text)).toEqual([
      expect.stringMatching(/^2:\d+ routes\[0\]\.policies\.authorization\.rules\[0\]: .*nope/),
      "2:83 routes[0].backends[0].host: invalid host:port: bad",
    ])
  })

  it("keeps indexes right after something was taken out", async () => {
    const text =
      "gateways: {default: {port: 1}}\nroutes:\n- backends: [{host: bad}, {host: 'a:1', weight: -1}, {host: 'b:1', backend: /x}, {backend: /nope}]"
    expect(await linesOf(text)).toEqual([
      "3:21 routes[0].backends[0].host: invalid host:port: bad",
      "3:49 routes[0].backends[1].weight: expected a whole number, 0 or more",
      expect.stringMatching(/^3:54 routes\[0\]\.backends\[2\]: exactly one of .*; found `backend` and `host`$/),
      "3:92 routes[0].backends[3].backend: unknown backend `/nope`",
    ])
  })
})

describe("gateways", () => {
  table([
    [
      "HTTP with tls",
      `gateways: {default: {port: 1, protocol: HTTP, tls: {cert: cert.pem, key: key.pem}}}\n${route}`,
      ["1:52 gateways.default.tls: protocol HTTP cannot have 'tls'"],
    ],
    [
      "TCP with tls",
      "gateways: {default: {port: 1, protocol: TCP, tls: {cert: cert.pem, key: key.pem}}}",
      ["1:51 gateways.default.tls: protocol TCP cannot have 'tls'"],
    ],
    [
      "HTTPS without tls",
      `gateways: {default: {port: 1, protocol: HTTPS}}\n${route}`,
      ["1:21 gateways.default: protocol HTTPS requires 'tls'"],
    ],
    [
      "listeners beside fields of the gateway",
      `gateways: {default: {port: 1, protocol: HTTP, cors: {}, listeners: [{}]}}\n${route}`,
      [
        "1:41 gateways.default.protocol: `protocol` cannot be set beside `listeners`",
        "1:53 gateways.default.cors: `cors` cannot be set beside `listeners`",
      ],
    ],
    [
      "TLS beside plaintext",
      `gateways: {default: {port: 1, listeners: [{protocol: HTTP}, {protocol: TLS}]}}\n${route}`,
      ["1:42 gateways.default.listeners: cannot mix TLS and plaintext listeners on one gateway"],
    ],
    [
      "HTTP beside TCP",
      `gateways: {default: {port: 1, listeners: [{protocol: HTTP}, {protocol: TCP}]}}\n${route}`,
      ["1:42 gateways.default.listeners: cannot mix HTTP and TCP protocols on one gateway"],
    ],
    [
      "two listeners of one name",
      `gateways: {default: {port: 1, listeners: [{name: a, hostname: x.com}, {name: a, hostname: y.com}]}}\n${route}`,
      ["1:78 gateways.default.listeners[1].name: two listeners of the gateway are called `a`"],
    ],
    [
      "an unknown reference",
      "gateways: {web: {port: 1}}\nroutes: [{gateways: [wep], backends: [{host: 'a:1'}]}]",
      ["2:22 routes[0].gateways[0]: unknown gateway reference wep"],
    ],
    [
      "a reference to listeners of the other kind",
      "gateways: {web: {port: 1, protocol: TCP}}\nroutes: [{gateways: web, backends: [{host: 'a:1'}]}]\ntcpRoutes: [{gateways: web, backends: [{host: 'a:1'}]}]",
      ["2:21 routes[0].gateways: gateway reference web has no HTTP listeners"],
    ],
    [
      "a TCP route on HTTP listeners",
      `gateways: {default: {port: 1}}\n${route}\ntcpRoutes: [{gateways: default, backends: [{host: 'a:1'}]}]`,
      ["3:24 tcpRoutes[0].gateways: gateway reference default has no TCP listeners"],
    ],
    [
      "a route that is attached nowhere",
      "gateways: {web: {port: 1}}\nroutes: [{backends: [{host: 'a:1'}]}, {name: b, backends: [{host: 'a:1'}]}]",
      ["2:10 routes[0]: routes.<unnamed> must set gateways", "2:39 routes[1]: routes.b must set gateways"],
    ],
    [
      "ui that is attached nowhere",
      "ui: {}",
      ["1:1 ui: the `ui` section is not built yet", "1:5 ui: ui.gateways must be set"],
    ],
  ])
})

describe("ports", () => {
  const both = (a: string, b: string) =>
    `port 4000 is configured by both ${a} and ${b}; binds, llm, and mcp must use unique ports`
  table([
    [
      "of two binds",
      "binds: [{port: 4000, listeners: [{routes: []}]}, {port: 4000, listeners: [{routes: []}]}]",
      [`1:57 binds[1].port: ${both("binds[0]", "binds[1]")}`],
    ],
    [
      "of a bind and a gateway",
      `binds: [{port: 4000, listeners: [{routes: []}]}]\ngateways: {default: {port: 4000}}\n${route}`,
      [`2:28 gateways.default.port: ${both("binds[0]", "gateways.default")}`],
    ],
    [
      "of a bind and the standalone llm",
      "binds: [{port: 4000, listeners: [{routes: []}]}]\nllm: {models: []}",
      [`2:6 llm: ${both("binds[0]", "llm")}`],
    ],
    [
      "of a bind and the standalone mcp",
      "binds: [{port: 4000, listeners: [{routes: []}]}]\nmcp: {port: 4000, targets: []}",
      [`2:13 mcp.port: ${both("binds[0]", "mcp")}`],
    ],
  ])
})

describe("binds", () => {
  const bind = (listener: string) => `binds: [{port: 1, listeners: [${listener}]}]`
  table([
    [
      "without a port",
      "binds: [{listeners: [{routes: []}]}]",
      ["1:9 binds[0]: a bind without a port must set mode: internal"],
    ],
    [
      "internal without a port, twice",
      "binds: [{mode: internal, listeners: [{routes: []}]}, {mode: internal, listeners: [{routes: []}]}]",
      ["1:54 binds[1]: only one bind may be internal without a port"],
    ],
    ["HTTP without routes", bind("{}"), ["1:31 binds[0].listeners[0]: protocol HTTP requires 'routes'"]],
    [
      "TCP without tcpRoutes",
      bind("{protocol: tcp}"),
      ["1:31 binds[0].listeners[0]: protocol TCP requires 'tcpRoutes'"],
    ],
    [
      "TLS with routes",
      bind("{protocol: TLS, routes: []}"),
      ["1:31 binds[0].listeners[0]: protocol TLS requires 'tcpRoutes'"],
    ],
    [
      "HTTPS without tls",
      bind("{protocol: HTTPS, routes: []}"),
      ["1:31 binds[0].listeners[0]: protocol HTTPS requires 'tls'"],
    ],
    [
      "both kinds of routes",
      bind("{routes: [], tcpRoutes: []}"),
      ["1:31 binds[0].listeners[0]: only 'routes' or 'tcpRoutes' may be set"],
    ],
    ["HBONE", bind("{protocol: hbone}"), ["1:32 binds[0].listeners[0].protocol: HBONE listeners are not built yet"]],
    [
      "HBONE tunnels",
      "binds: [{port: 1, tunnelProtocol: hboneWaypoint, listeners: [{routes: []}]}]",
      ["1:19 binds[0].tunnelProtocol: the tunnel protocol `hboneWaypoint` is not built yet"],
    ],
    [
      "two routes of one name",
      bind(
        "{routes: [{name: a, backends: [{host: 'a:1'}]}, {name: a, matches: [{path: {exact: /x}}], backends: [{host: 'a:1'}]}]}",
      ),
      [
        "1:86 binds[0].listeners[0].routes[1].name: two routes of one listener are called `default/a`, and no `ruleName` tells them apart",
      ],
    ],
    [
      "two rules of one name",
      bind(
        "{routes: [{name: a, ruleName: r, backends: [{host: 'a:1'}]}, {name: a, ruleName: r, matches: [{path: {exact: /x}}], backends: [{host: 'a:1'}]}]}",
      ),
      [
        "1:99 binds[0].listeners[0].routes[1].name: two routes of one listener are called `default/a`, and no `ruleName` tells them apart",
      ],
    ],
    [
      "two listeners for one host",
      "binds: [{port: 1, listeners: [{routes: []}, {routes: []}]}]",
      ["1:45 binds[0].listeners[1].hostname: listener default/default/bind/1/listener0 already takes * on bind bind/1"],
    ],
  ])
})

describe("routes", () => {
  it("of one name are as many as they have rules", async () => {
    const { snapshot } = await loadedOf(`
gateways: {default: {port: 1}}
routes:
- {name: a, matches: [{path: {exact: /x}}], backends: [{host: 'a:1'}]}
- {name: a, ruleName: second, matches: [{path: {exact: /y}}], backends: [{host: 'a:1'}]}
- {name: a, ruleName: third, matches: [{path: {exact: /z}}], backends: [{host: 'a:1'}]}
`)
    const routes = [...snapshot.routes.values()]
    expect(routes.map(({ name }) => name.ruleName)).toEqual([undefined, "second", "third"])
    expect(routes.map(({ key }) => key.replace(/.*default\/a/, ""))).toEqual(["", "/second", "/third"])
  })

  const one = (fields: string) => `gateways: {default: {port: 1}}\nroutes:\n- ${fields}`
  table([
    [
      "a path that cannot match",
      one("{matches: [{path: {exact: foo}}], backends: [{host: 'a:1'}]}"),
      ["3:29 routes[0].matches[0].path.exact: a path starts with `/`, or no request can match it"],
    ],
    [
      "a path that no request can have",
      one(
        "{matches: [{path: {exact: '/a?b=c'}}, {path: {pathPrefix: '/a b'}}, {path: {exact: /é}}, {path: {pathPrefix: '/a%20b'}}], backends: [{host: 'a:1'}]}",
      ),
      [
        "3:29 routes[0].matches[0].path.exact: a path has no query, or no request can match it: parameters are matched by `query`",
        "3:61 routes[0].matches[1].path.pathPrefix: a path prefix has other characters percent-encoded, or no request can match it",
        "3:86 routes[0].matches[2].path.exact: a path has other characters percent-encoded, or no request can match it",
      ],
    ],
    [
      "a host name that no request can have",
      one("{hostnames: ['*.[::1]', 'a&b', '[::1]', Www.Example.com.], backends: [{host: 'a:1'}]}"),
      ["*.[::1]", "a&b"].map(
        (name, i) => `3:${[16, 27][i]} routes[0].hostnames[${i}]: ${JSON.stringify(name)} is not a host name`,
      ),
    ],
    [
      "two kinds of path",
      one("{matches: [{path: {exact: /a, pathPrefix: /b}}], backends: [{host: 'a:1'}]}"),
      [
        "3:21 routes[0].matches[0].path: exactly one of `exact`, `pathPrefix`, `regex` must be set; found `exact` and `pathPrefix`",
      ],
    ],
    [
      "no match at all",
      one("{matches: [], backends: [{host: 'a:1'}]}"),
      ["3:13 routes[0].matches: a route without matches never takes a request"],
    ],
    [
      "no backend and no answer is a warning",
      one("{name: a}"),
      [
        "3:3 routes[0].backends: every request of this route is refused: no backend can be chosen and no policy answers",
      ],
    ],
    [
      "a lower-case method is a warning",
      one("{matches: [{method: get}], backends: [{host: 'a:1'}]}"),
      ["3:23 routes[0].matches[0].method: `get` is not `GET`: methods keep their letter case"],
    ],
    [
      "a header that belongs to the connection is a warning, unless it asks for a switch of protocols",
      one(
        "{matches: [{headers: [{name: Keep-Alive, value: {regex: .*}}]}, {headers: [{name: Upgrade, value: {exact: websocket}}]}], backends: [{host: 'a:1'}]}",
      ),
      [
        "3:32 routes[0].matches[0].headers[0].name: `Keep-Alive` is between a client and the gateway, so no request is found by it",
      ],
    ],
    [
      "a proxy that is a service, or is spoken to over TLS, or looks for its credential elsewhere",
      one(
        "{backends: [{host: 'a:1', policies: {backendTunnel: {proxy: {host: 'p:1'}, policies: {backendTLS: {}}}}}, {host: 'b:1', policies: {backendTunnel: {proxy: {host: 'p:1'}, policies: {backendAuth: {key: {value: k, location: {header: {name: x-key}}}}}}}}]}",
      ),
      [
        "3:101 routes[0].backends[0].policies.backendTunnel.policies.backendTLS: a proxy that is spoken to over TLS is not built yet",
        "3:202 routes[0].backends[1].policies.backendTunnel.policies.backendAuth.key: a proxy takes its credential in the authorization header only",
      ],
    ],
    [
      "more attempts than are ever made",
      one("{policies: {retry: {attempts: 101, codes: []}}, backends: [{host: 'a:1'}]}"),
      ["3:22 routes[0].policies.retry: 101 further attempts are more than the 100 that may be made"],
    ],
    [
      "a host name with a port",
      one("{hostnames: ['a.com:80'], backends: [{host: 'a:1'}]}"),
      ['3:16 routes[0].hostnames[0]: "a.com:80" names a port'],
    ],
    [
      "a backend without its slash is found",
      `backends: [{name: b, host: 'a:1'}]\n${one("{backends: [{backend: b}]}")}`,
      [],
    ],
    [
      "an unknown service",
      one("{backends: [{service: {name: default/x, port: 80}}]}"),
      ["3:25 routes[0].backends[0].service: unknown service `default/x`"],
    ],
    [
      "an unknown port of a service",
      `services: [{name: x, namespace: default, hostname: x, vips: [], ports: {80: 80}}]\n${one("{backends: [{service: {name: default/x, port: 81}}]}")}`,
      ["4:25 routes[0].backends[0].service: service `default/x` has no port 81"],
    ],
    [
      "an unknown group",
      one("{backends: [{routeGroup: g}]}"),
      ["3:28 routes[0].backends[0].routeGroup: unknown route group `g`"],
    ],
    [
      "inferenceRouting without a service",
      one("{backends: [{host: 'a:1', policies: {inferenceRouting: {endpointPicker: {host: 'p:1'}}}}]}"),
      [
        "3:40 routes[0].backends[0].policies.inferenceRouting: `inferenceRouting` policies are not built yet",
        expect.stringMatching(/`inferenceRouting` is only legal on a `service` backend/),
      ] as ReadonlyArray<string>,
    ],
    [
      "a header that is none",
      one("{policies: {requestHeaderModifier: {set: {'a b': x}}}, backends: [{host: 'a:1'}]}"),
      ['3:52 routes[0].policies.requestHeaderModifier.set["a b"]: "a b" is not a header name'],
    ],
    [
      "a header that cannot be written",
      one(
        "{policies: {requestHeaderModifier: {add: {Content-Length: '1', ':path': x}, set: {':status': '200', x-a: 日本}, remove: [connection]}, responseHeaderModifier: {set: {':status': '99', x-b: é}}}, backends: [{host: 'a:1', policies: {requestHeaderModifier: {set: {host: 'a b'}}}}]}",
      ),
      [
        "routes[0].policies.requestHeaderModifier.add.Content-Length: content-length belongs to the connection and cannot be set",
        'routes[0].policies.requestHeaderModifier.add[":path"]: "x" is not a path',
        'routes[0].policies.requestHeaderModifier.set[":status"]: :status is not part of a request',
        "routes[0].policies.requestHeaderModifier.set.x-a: a header carries no control characters and none beyond Latin-1",
        'routes[0].policies.responseHeaderModifier.set[":status"]: "99" is not the status of a final reply',
        'routes[0].backends[0].policies.requestHeaderModifier.set.host: "a b" is not an authority',
      ].map((line) => expect.stringContaining(line)),
    ],
    [
      "a computed header that cannot be written",
      one(
        "{policies: {transformations: {request: {set: {connection: '\"a\"', ':status': '200', host: '\"a\"'}}, response: {add: {':path': '\"/\"', ':status': '200'}}}, directResponse: {status: 200, headers: {upgrade: '\"a\"', x: '\"a\"'}}}}",
      ),
      [
        "routes[0].policies.transformations.request.set.connection: connection belongs to the connection and cannot be set",
        'routes[0].policies.transformations.request.set[":status"]: :status is not part of a request',
        'routes[0].policies.transformations.response.add[":path"]: :path is not part of a response',
        "routes[0].policies.directResponse.headers.upgrade: upgrade belongs to the connection and cannot be set",
      ].map((line) => expect.stringContaining(line)),
    ],
    [
      "an address that leads nowhere",
      one(
        "{policies: {urlRewrite: {authority: {full: 'a/b'}, path: {prefix: '/a b'}}, requestRedirect: {scheme: 'ht tp', authority: {host: 'a:80'}, path: {full: 'x?y'}}}, backends: [{host: 'a:1', policies: {requestRedirect: {authority: {full: é}}}}]}",
      ),
      [
        'routes[0].policies.urlRewrite.authority.full: "a/b" is not an authority',
        'routes[0].policies.urlRewrite.path.prefix: "/a b" is not a path',
        'routes[0].policies.requestRedirect.scheme: "ht tp" is not a scheme',
        'routes[0].policies.requestRedirect.authority.host: "a:80" is not a host',
        'routes[0].policies.requestRedirect.path.full: "x?y" is not a path',
        'routes[0].backends[0].policies.requestRedirect.authority.full: "é" is not an authority',
      ].map((line) => expect.stringContaining(line)),
    ],
    [
      "an origin that no browser says is a warning",
      one(
        "{policies: {cors: {allowOrigins: [app.example.com, 'https://a.example/', 'https://*.example:*', '*', 'null']}}, backends: [{host: 'a:1'}]}",
      ),
      ["app.example.com", "https://a.example/"].map((text) =>
        expect.stringContaining(`no page comes from ${JSON.stringify(text)}`),
      ),
    ],
    [
      "a header value that would become two",
      one("{policies: {requestHeaderModifier: {set: {a: \"x\\r\\nb: y\"}}}, backends: [{host: 'a:1'}]}"),
      ["3:48 routes[0].policies.requestHeaderModifier.set.a: a header value cannot contain line breaks or null bytes"],
    ],
    [
      "a mirror of more than everything",
      one("{policies: {requestMirror: {backend: {host: 'm:1'}, percentage: 50}}, backends: [{host: 'a:1'}]}"),
      ["3:67 routes[0].policies.requestMirror.percentage: expected a number from 0.0 to 1.0"],
    ],
    [
      "both bodies",
      one("{policies: {directResponse: {status: 200, body: a, bodyExpression: request.path}}}"),
      ["3:31 routes[0].policies.directResponse: `body` and `bodyExpression` cannot be set together"],
    ],
    [
      "a delay that is neither duration nor expression",
      one("{policies: {delay: {duration: 5 seconds}}, backends: [{host: 'a:1'}]}"),
      ['3:33 routes[0].policies.delay.duration: "5 seconds" is not a duration'],
    ],
  ])
})

describe("conditional policies", () => {
  it("put the fallback last", async () => {
    const text =
      "gateways: {default: {port: 1}}\nroutes: [{policies: {directResponse: {conditional: [{status: 200}, {condition: 'true', status: 201}]}}}]"
    expect(await linesOf(text)).toEqual([
      "2:53 routes[0].policies.directResponse.conditional[0]: conditional policy entries without condition must be last",
    ])
  })
  it("have 64 entries at most", async () => {
    const entries = Array(65).fill("{condition: a, status: 200}").join(", ")
    const said = await linesOf(`routes: [{policies: {directResponse: {conditional: [${entries}]}}}]`)
    expect(said).toContain(
      "1:52 routes[0].policies.directResponse.conditional: conditional policies have 64 entries at most",
    )
  })
  it("report mistakes in an entry, not in the form that was not used", async () => {
    expect(
      await linesOf("routes: [{policies: {directResponse: {conditional: [{condition: a, stats: 200}]}}}]"),
    ).toEqual(["1:68 routes[0].policies.directResponse.conditional[0].stats: unknown field `stats`"])
  })
})

describe("tls", () => {
  const tls = (fields: string) => `gateways: {default: {port: 1, tls: {${fields}}}}\n${route}`
  table([
    ["without cert", tls("root: cert.pem"), ["1:36 gateways.default.tls: tls requires 'cert' (or 'spiffe')"]],
    ["without key", tls("cert: cert.pem"), ["1:36 gateways.default.tls: tls requires 'key'"]],
    [
      "files that are not there",
      tls("cert: nope.pem, key: nope.key"),
      [
        "1:43 gateways.default.tls.cert: cannot read nope.pem: there is no such file",
        "1:58 gateways.default.tls.key: cannot read nope.key: there is no such file",
      ],
    ],
    [
      "several keys in a file",
      tls("cert: cert.pem, key: two-keys.pem"),
      ["1:58 gateways.default.tls.key: multiple private keys in two-keys.pem"],
    ],
    [
      "no key in a file",
      tls("cert: cert.pem, key: cert.pem"),
      ["1:58 gateways.default.tls.key: no private key in cert.pem"],
    ],
    [
      "no certificate in a file",
      tls("cert: empty.pem, key: key.pem"),
      ["1:43 gateways.default.tls.cert: no certificate in empty.pem"],
    ],
    [
      "the key of another certificate",
      tls("cert: cert.pem, key: stranger.pem"),
      ["1:58 gateways.default.tls.key: the key in stranger.pem is not that of the certificate in cert.pem"],
    ],
    ["certificate and key in one file", tls("cert: both.pem, key: both.pem"), []],
    [
      "a version that is too old",
      tls("cert: cert.pem, key: key.pem, minTLSVersion: TLS_V1_1"),
      ["1:82 gateways.default.tls.minTLSVersion: unsupported TLS version TLS_V1_1"],
    ],
    [
      "an impossible range",
      tls("cert: cert.pem, key: key.pem, minTLSVersion: TLS_V1_3, maxTlsVersion: tls_v1_2"),
      ["1:36 gateways.default.tls: invalid TLS version range"],
    ],
    [
      "one field in two spellings",
      tls("cert: cert.pem, key: key.pem, minTLSVersion: TLS_V1_3, minTlsVersion: TLS_V1_3"),
      ["1:36 gateways.default.tls: `minTLSVersion` and `minTlsVersion` are two spellings of one field; set one"],
    ],
    [
      "an unknown cipher suite",
      tls("cert: cert.pem, key: key.pem, cipherSuites: [TLS_RSA_WITH_RC4]"),
      ['1:82 gateways.default.tls.cipherSuites[0]: unknown cipher suite "TLS_RSA_WITH_RC4"'],
    ],
    [
      "minted leaves",
      tls("cert: cert.pem, key: key.pem, mode: dynamicca, root: cert.pem"),
      [
        "1:67 gateways.default.tls.mode: `tls.mode: dynamicCa` is not built yet",
        "1:90 gateways.default.tls.root: `root` cannot be combined with `mode: dynamicCa`",
      ],
    ],
    [
      "spiffe beside files",
      tls("spiffe: {}, cert: cert.pem"),
      [
        "1:37 gateways.default.tls.spiffe: `tls.spiffe` is not built yet",
        "1:55 gateways.default.tls.cert: `cert` cannot be combined with `spiffe`",
      ],
    ],
    [
      "towards a backend, half an identity",
      "gateways: {default: {port: 1}}\nroutes: [{backends: [{host: 'a:1', policies: {backendTLS: {cert: cert.pem}}}]}]",
      ["2:59 routes[0].backends[0].policies.backendTLS: `cert` and `key` are set together, or neither is"],
    ],
  ])
  it("names the files to watch", async () => {
    const loaded = await loadedOf(tls("cert: both.pem, key: both.pem, root: cert.pem"), { files })
    expect(loaded.dependencies).toEqual(["both.pem", "cert.pem"])
  })
})

describe("policies attached by name", () => {
  const attached = (target: string, policy: string, more = "") =>
    `gateways: {default: {port: 1}}\nbackends: [{name: b, host: 'a:1'}]\nroutes: [{name: r, backends: [{backend: /b}]}]\npolicies:\n- {name: {name: p, namespace: ns}, target: ${target}, ${more}policy: ${policy}}`
  const gateway = "{gateway: {gatewayName: default, gatewayNamespace: default}}"
  const backend = "{backend: {backend: {name: b, namespace: ''}}}"
  table([
    [
      "one policy exactly",
      attached(gateway, "{}"),
      [expect.stringMatching(/policy: 'policies' must contain exactly 1 policy$/)] as ReadonlyArray<string>,
    ],
    [
      "a listener or a port",
      attached("{gateway: {gatewayName: default, gatewayNamespace: default, listenerName: a, port: 1}}", "{csrf: {}}"),
      [expect.stringMatching(/`listenerName` and `port` cannot be set together$/)] as ReadonlyArray<string>,
    ],
    [
      "traffic policies are not for backends",
      attached(backend, "{cors: {}}"),
      [expect.stringMatching(/policy\.cors: `cors` has no effect on a backend$/)] as ReadonlyArray<string>,
    ],
    [
      "not every policy runs before routing",
      attached(gateway, "{timeout: {requestTimeout: 1s}}", "phase: gateway, "),
      [
        expect.stringMatching(/policy\.timeout: `timeout` has no effect in the gateway phase$/),
      ] as ReadonlyArray<string>,
    ],
    [
      "targets that do not exist",
      attached("{route: {name: other, namespace: default}}", "{timeout: {requestTimeout: 1s}}"),
      [expect.stringMatching(/^5:3 policies\[0\]: there is no route for ns\/p/)] as ReadonlyArray<string>,
    ],
    ["a route", attached("{route: {name: r, namespace: default}}", "{timeout: {requestTimeout: 1s}}"), []],
    ["a backend", attached(backend, "{http: {version: '2'}}"), []],
    ["a backend policy on a gateway", attached(gateway, "{tcp: {connectTimeout: 1s}}"), []],
  ])
})

describe("authentication", () => {
  const inRoute = (policy: string) =>
    `gateways: {default: {port: 1}}\nroutes:\n- policies:\n    ${policy}\n  backends: [{host: 'a:1'}]`
  const same = "sha256:8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
  table([
    [
      "keys of every shape",
      inRoute(`apiKey: {keys: [{key: a, expiresAt: 2100-01-01T00:00:00Z}, {keyHash: "${same}"}], mode: strict}`),
      [],
    ],
    [
      "the same key twice, once by its hash",
      inRoute(`apiKey: {keys: [{key: b}, {key: alpha}, {keyHash: "${same}"}], mode: strict}`),
      ["4:45 routes[0].policies.apiKey.keys[2]: the same key as number 2"],
    ],
    [
      "an empty key, and a date that is none",
      inRoute(
        "apiKey: {keys: [{key: ' '}, {key: a, expiresAt: 2026-13-01}, {key: b, expiresAt: tomorrow}], mode: strict}",
      ),
      [
        "4:27 routes[0].policies.apiKey.keys[0].key: the secret is empty",
        "4:53 routes[0].policies.apiKey.keys[1].expiresAt: expected a date, or a date and time with its zone (RFC 3339)",
        "4:86 routes[0].policies.apiKey.keys[2].expiresAt: expected a date, or a date and time with its zone (RFC 3339)",
      ],
    ],
    [
      "passwords that could not be checked",
      inRoute(
        `basicAuth: {htpasswd: "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\\nbob:$$6$$x$$y", realm: "a\\nb", mode: strict}`,
      ),
      [
        "4:27 routes[0].policies.basicAuth.htpasswd: line 2: a SHA-512 hash of Unix crypt",
        "4:90 routes[0].policies.basicAuth.realm: a realm is written in printable ASCII characters",
      ],
    ],
    [
      "nobody",
      inRoute("basicAuth: {htpasswd: '#', mode: strict}"),
      ["4:27 routes[0].policies.basicAuth.htpasswd: there are no users"],
    ],
    [
      "keys that nobody has to bring",
      inRoute("apiKey: {keys: [{key: a}]}"),
      ["4:13 routes[0].policies.apiKey: `mode` is not set, so requests without credentials pass"],
    ],
    [
      "passwords that nobody has to bring",
      inRoute("basicAuth: {htpasswd: 'bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='}"),
      ["4:16 routes[0].policies.basicAuth: `mode` is not set, so requests without credentials pass"],
    ],
    [
      "tokens that nobody has to bring",
      inRoute("jwtAuth: {issuer: i, jwks: {url: 'https://i.test/keys'}}"),
      ["4:14 routes[0].policies.jwtAuth: `mode` is not set, so requests without credentials pass"],
    ],
    ...["apiKey: {keys: [{key: a}]", "basicAuth: {htpasswd: 'bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='"].flatMap((text) =>
      ["strict", "optional"].map((mode) => [`${mode}: ${text}`, inRoute(`${text}, mode: ${mode}}`), []] as const),
    ),
    [
      "limits that cannot be meant",
      inRoute(
        "localRateLimit: [{fillInterval: 1s}, {maxTokens: 5, fillInterval: 1s}, {maxTokens: 4294967296, tokensPerFill: 1, fillInterval: 1s}, {maxTokens: 5, fillInterval: 1s, type: tokens}]",
      ),
      [
        "4:22 routes[0].policies.localRateLimit[0]: no request ever passes",
        "4:42 routes[0].policies.localRateLimit[1]: once it is empty it stays empty",
        "4:88 routes[0].policies.localRateLimit[2].maxTokens: expected a whole number, 0 or more",
        "4:137 routes[0].policies.localRateLimit[3]: once it is empty it stays empty",
      ],
    ],
    [
      "descriptors that count nothing",
      inRoute("remoteRateLimit: {host: 'a:1', domain: d, descriptors: [{entries: []}]}"),
      ["4:71 routes[0].policies.remoteRateLimit.descriptors[0].entries: a descriptor without entries counts nothing"],
    ],
    [
      "what an external service is never told",
      inRoute(
        "extAuthz: {host: 'a:1', protocol: {http: {body: request.path}}, includeRequestBody: {packAsBytes: true}, cache: {key: [], ttl: 1s}}",
      ),
      [
        "4:89 routes[0].policies.extAuthz.includeRequestBody: `protocol.http.body` is sent instead of the body",
        "4:103 routes[0].policies.extAuthz.includeRequestBody.packAsBytes: over HTTP a body is bytes anyway",
        "4:123 routes[0].policies.extAuthz.cache.key: nothing is kept without a key",
      ],
    ],
    [
      "what is no origin",
      inRoute(
        "csrf: {additionalOrigins: ['https://a.example:8443', a.example, 'https://a.example/', 'null', 'https://*.a']}",
      ),
      [
        "4:58 routes[0].policies.csrf.additionalOrigins[1]: expected an origin",
        "4:69 routes[0].policies.csrf.additionalOrigins[2]: expected an origin",
        "4:91 routes[0].policies.csrf.additionalOrigins[3]: expected an origin",
        "4:99 routes[0].policies.csrf.additionalOrigins[4]: expected an origin",
      ],
    ],
    [
      "a key that has expired",
      inRoute("apiKey: {keys: [{key: a, expiresAt: 2020-01-01}], mode: strict}"),
      ["4:41 routes[0].policies.apiKey.keys[0].expiresAt: the key has expired already"],
    ],
    [
      "a location that is computed",
      inRoute("apiKey: {keys: [{key: a}], location: {expression: 'request.path'}, mode: strict}"),
      [],
    ],
  ])
})

describe("what is not built", () => {
  it.each(notBuilt.config.filter((name) => !name.includes(": ")))("config.%s", async (name) => {
    const values: Record<string, string> = {
      spiffe: "{}",
      standardAttributes: "{}",
      "session.key": "abc",
      "logging.fields": "{}",
      "logging.database": "{url: a}",
      "metrics.fields": "{}",
    }
    const [outer, inner] = name.split(".")
    const value = values[name] ?? "x"
    const text = inner === undefined ? `config: {${outer}: ${value}}` : `config: {${outer}: {${inner}: ${value}}}`
    const issues = await issuesOf(text)
    expect(issues.map((issue) => issue.message)).toContain(`\`config.${name}\` is not built yet`)
  })
})

describe("the documented sample", () => {
  const text = `
binds: [{port: 3000, listeners: [{hostname: "*.example.com", protocol: http, routes: [{matches: [{path: {pathPrefix: /api}}], backends: [{host: "api-service:8080"}]}]}]}]
config: {logging: {format: json, level: info}, adminAddr: "0.0.0.0:9901", statsAddr: "0.0.0.0:9902", tracing: {otlpEndpoint: "http://otel-collector:4317"}}
`
  it("loads, its older section for traces as the policy it stands for", async () => {
    const loaded = await loadedOf(text)
    expect([...loaded.snapshot.binds.keys()]).toEqual(["bind/3000"])
    expect(loaded.static.logging).toEqual({ format: "json", level: "info", targets: [] })
    expect(loaded.static.adminAddress).toEqual({ _tag: "Ip", host: "0.0.0.0", port: 9901 })
    expect(loaded.warnings).toEqual([])
    expect(loaded.snapshot.attachments.get("frontend/tracing" as never)?.policy).toMatchObject({
      policy: {
        _tag: "Tracing",
        protocol: "grpc",
        path: "/v1/traces",
        callee: { backend: { backend: "host/otel-collector:4317" } },
      },
    })
  })
})

describe("older settings that are policies now", () => {
  it("say so when the policy is there as well", async () => {
    expect(
      await linesOf(
        "config: {tracing: {otlpEndpoint: 'http://a:1'}, logging: {filter: 'true'}}\nfrontendPolicies: {tracing: {host: 'a:1'}, logging: {filter: 'true'}}",
      ),
    ).toEqual([
      "1:19 config.tracing: `config.tracing` and `frontendPolicies.tracing` say the same thing twice",
      "1:67 config.logging.filter: `config.logging.filter` and `frontendPolicies.accessLog` say the same thing twice",
    ])
  })
  it("name a receiver", async () => {
    expect(await linesOf("config: {tracing: {}}")).toEqual([
      "1:19 config.tracing: nobody is named who receives the traces",
    ])
    expect(await linesOf("config: {tracing: {otlpEndpoint: 'ftp://a'}}")).toEqual([
      "1:34 config.tracing.otlpEndpoint: a receiver of OTLP is named by an http, https or grpc URL, not ftp://",
    ])
  })
  it("of the log become its policy", async () => {
    const { snapshot } = await loadedOf(
      "config: {logging: {filter: 'response.code > 399', fields: {remove: [src.addr]}}}",
    )
    expect(snapshot.attachments.get("frontend/accessLog" as never)?.policy).toMatchObject({
      policy: { _tag: "AccessLog", filter: "response.code > 399", fields: { add: [], remove: ["src.addr"] } },
    })
  })
})

describe("an issue", () => {
  const issue = {
    severity: "error",
    line: 12,
    column: 7,
    path: "routes[0].policies",
    message: "unknown field `cros`",
    remedy: "Did you mean `cors`?",
  } as const
  it("reads as one line", () => {
    expect(format(issue, "a.yaml")).toBe("a.yaml:12:7 routes[0].policies: unknown field `cros`. Did you mean `cors`?")
    expect(formatAll([issue, { ...issue, severity: "warning", path: "", remedy: "" }], "a.yaml").split("\n")[1]).toBe(
      "a.yaml:12:7: warning: unknown field `cros`.",
    )
  })
  it("is also JSON", () => {
    expect(JSON.parse(toJson([issue], "a.yaml"))).toEqual([{ file: "a.yaml", ...issue }])
  })
  it("suggests the nearest name", async () => {
    const remedies = async (text: string) => (await issuesOf(text)).map((one) => one.remedy)
    expect(await remedies("gatewys: {}")).toEqual(["Did you mean `gateways`?"])
    expect(await remedies("routes: [{policies: {requestheadermodifier: {}}}]")).toEqual([
      "Did you mean `requestHeaderModifier`?",
    ])
    expect(
      await remedies(
        "backends: [{name: web, host: 'a:1'}]\ngateways: {default: {port: 1}}\nroutes: [{backends: [{backend: wep}]}]",
      ),
    ).toEqual(["Use `/web`."])
  })
  it("never shows a secret", async () => {
    const secret = "hunter2hunter2"
    const said = JSON.stringify([
      await issuesOf(`config: {session: {key: ${secret}}}`),
      await issuesOf("a: 1", { env: { SESSION_KEY: secret } }),
      await issuesOf(`routes: [{policies: {backendAuth: {key: {value: ${secret}, locaton: {}}}}}]`),
    ])
    expect(said).not.toContain(secret)
  })
})
