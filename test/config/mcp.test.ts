import * as Redacted from "effect/Redacted"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { mcpTargets, oauthOfTarget } from "../../ir/backend/mcpTargets.ts"
import type { BackendKey, ServiceKey } from "../../ir/Key.ts"
import { validate } from "../../ir/validate.ts"
import { mapped as whole } from "./mapped.ts"

const folder = "test/golden/mcp"

const pets = "openapi: 3.0.0\npaths: {/pets: {get: {operationId: list, responses: {}}}}\n"

const mapped = (text: string) => {
  const { complaints, snapshot } = whole(text, { "pets.yaml": pets })
  return { snapshot, complaints: complaints.filter((line) => !line.endsWith("not built yet")) }
}

const plain = (_key: string, value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries(value) : Redacted.isRedacted(value) ? "<redacted>" : value

const backendOf = (text: string) => {
  const { complaints, snapshot } = mapped(text)
  expect(complaints).toEqual([])
  const backend = snapshot.backends.get("/mcp" as BackendKey)
  if (backend?._tag !== "Mcp") throw new Error("there is no MCP backend")
  return { backend, snapshot }
}

const target = (text: string) => `mcp: {targets: [${text}]}`

describe("MCP in a file", () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith(".yaml")))("%s stands for its snapshot", (name) => {
    const { complaints, snapshot } = mapped(readFileSync(`${folder}/${name}`, "utf8"))
    const text = `${JSON.stringify(snapshot, plain, 2)}\n`
    const golden = `${folder}/${name.replace(/\.yaml$/, ".snapshot.json")}`
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(golden, text)
    expect(complaints).toEqual([])
    expect(text).toBe(readFileSync(golden, "utf8"))
    expect(validate(snapshot).filter(({ severity }) => severity === "error")).toEqual([])
  })

  it.each([
    [target('{name: "a_b", mcp: {host: "http://a"}}'), "expected lower-case letters, digits, `-` and `.`"],
    [target('{name: a, mcp: {host: "a"}}'), "`host` alone is a URL"],
    [target('{name: a, mcp: {host: "ftp://a/"}}'), "is not an http:// or https:// URL"],
    [target('{name: a, mcp: {host: "http://me:secret@a/"}}'), "a URL cannot carry credentials"],
    [target("{name: a, mcp: {backend: /none, path: /mcp}}"), "unknown backend `/none`"],
    [target("{name: a, stdio: {cmd: a, processes: 0}}"), "needs one process at least"],
    [target('{name: a, stdio: {cmd: a, env: {"a=b": c}}}'), "cannot be the name of a variable"],
    [target("{name: a, stdio: {cmd: a}, policies: {http: {}}}"), "`policies` do not apply to `stdio` targets"],
    [target('{name: a, sse: {host: "http://a"}, protocol: modern}'), "`protocol` goes with `mcp` and `stdio`"],
    [
      target('{name: a, mcp: {host: "http://a"}, tools: {override: {x: {name: z}, y: {name: z}}}}'),
      "`x` is called `z` already",
    ],
    ["mcp: {}", "no targets are set"],
    [
      target('{name: a, openapi: {host: "http://a", schema: "swagger: 2"}}'),
      "mcp.targets.0.openapi.schema: it is no OpenAPI document: it lacks `openapi: 3.…`",
    ],
    [target('{name: a, openapi: {host: "http://a", schema: "{a: [}"}}'), "it is neither JSON nor YAML: "],
    [target('{name: a, openapi: {host: "http://a", schema: {paths: {}}}}'), "expected a document, or one of"],
    [
      target('{name: a, openapi: {host: "http://a", schema: {openapi: 3.1.0, paths: {/a/{b}: {get: {}}}}}}').replace(
        "/a/{b}",
        '"/a/{b}"',
      ),
      "the operation GET /a/{b} is left out: its path has the placeholder {b} and no parameter for it",
    ],
    [target('{name: a, openapi: {host: "http://a", schema: {openapi: 3.1.0}}}'), "the document gives no tools"],
    [target("{name: a, stdio: {cmd: a}, oauth: {}}"), "`oauth` does not apply to `stdio` and `a2a` targets"],
    [target('{name: a, a2a: {host: "http://a"}, oauth: {}}'), "`oauth` does not apply to `stdio` and `a2a` targets"],
    [
      target(
        '{name: a, openapi: {host: "http://a", schema: {openapi: 3.1.0}}, oauth: {}, policies: {backendAuth: {key: k}}}',
      ),
      "two ways to show who is calling",
    ],
    ["mcp: {selectors: [{labels: {a: b}, oauth: {}, policies: {backendAuth: {key: k}}}]}", "two ways to show"],
    ["mcp: {selectors: [{labels: {a: b}, oauth: {grant: gateway}}]}", "only as a client that is known"],
    ["mcp: {selectors: [{labels: {a: b}}], connections: {url: 'http://a/b'}}", "no target has an account to connect"],
    [
      'mcp: {pagination: composite, pageSize: 3, targets: [{name: a, mcp: {host: "http://a"}}]}',
      "mcp.pageSize: goes with lists that come whole",
    ],
    ["mcp: {selectors: [{labels: {}}]}", "no labels would select every service"],
    ["mcp: {selectors: [{labels: {a: b}}], bundles: [{name: a}, {name: b}]}", "must be the last"],
  ])("%s is refused", (text, message) => {
    expect(mapped(text).complaints.join("\n")).toContain(message)
  })

  it("two targets of one name are refused", () => {
    const { snapshot } = mapped(
      'mcp: {targets: [{name: a, mcp: {host: "http://a"}}, {name: a, mcp: {host: "http://b"}}]}',
    )
    expect(validate(snapshot).map(({ message }) => message)).toContain("another target is called a")
  })

  it("a target that leads back into an MCP backend is refused", () => {
    const { snapshot } = mapped("mcp: {targets: [{name: a, mcp: {backend: /mcp, path: /mcp}}]}")
    expect(validate(snapshot).map(({ message }) => message)).toContain(
      "an MCP target must lead to a host; /mcp is of kind Mcp",
    )
  })
})

const service = (name: string, namespace: string, ports: string, labels = '{mcp: "true"}') =>
  `{name: ${name}, namespace: ${namespace}, hostname: ${name}.${namespace}, labels: ${labels}, vips: [], ports: ${ports}}`

describe("targets found by label", () => {
  const selected = (services: ReadonlyArray<string>, selectors = '[{labels: {mcp: "true"}}]') => {
    const { backend, snapshot } = backendOf(
      `mcp: {targets: [{name: fixed, mcp: {host: "http://a"}}], selectors: ${selectors}}\nservices: [${services.join(", ")}]`,
    )
    return mcpTargets(backend, snapshot.services)
  }

  it("are the services with all the labels, after the targets that are named", () => {
    const targets = selected([
      service("b", "x", '{"90": 1, "80": 2}'),
      service("a", "x", '{"80": 1}'),
      service("c", "x", '{"80": 1}', '{mcp: "false"}'),
    ])
    expect(targets.map(({ name }) => name)).toEqual(["fixed", "a-x", "b-x"])
    expect(targets[2]).toMatchObject({ callee: { backend: { _tag: "Service", service: "x/b.x", port: 80 } } })
  })

  it("keep their names when others of the same name come", () => {
    const alone = selected([service("b", "x", '{"80": 1}')])
    const beside = selected([service("b", "y", '{"80": 1}'), service("b", "x", '{"80": 1}')])
    expect(beside.map(({ name }) => name)).toEqual(expect.arrayContaining(alone.map(({ name }) => name)))
  })

  it("go by their bare name within one namespace, and never take the name of another target", () => {
    const targets = selected([service("fixed", "x", '{"80": 1}')], '[{labels: {mcp: "true"}, namespace: x}]')
    expect(targets[1]?.name).toMatch(/^fixed-[0-9a-f]{8}$/)
  })

  it("without the port that is asked for are left out", () => {
    expect(selected([service("b", "x", '{"80": 1}')], '[{labels: {mcp: "true"}, port: 81}]')).toHaveLength(1)
  })

  it("are called with an account for each of them, or one for all that share a resource", () => {
    const all = [service("a", "x", '{"80": 1}'), service("b", "x", '{"81": 1}')]
    const own = "grant: gateway, clientId: c"
    const servers = (selector: string) =>
      selected(all, `[{labels: {mcp: "true"}, ${selector}}]`).flatMap((one) => oauthOfTarget(one)?.server ?? [])
    expect(servers(`oauth: {${own}}`)).toEqual(["http://a.x/mcp", "http://b.x:81/mcp"])
    expect(servers(`oauth: {${own}}, path: /v1, policies: {backendTLS: {}}`)).toEqual([
      "https://a.x:80/v1",
      "https://b.x:81/v1",
    ])
    expect(servers(`oauth: {${own}, resource: "https://tools.x/"}`)).toEqual(["https://tools.x", "https://tools.x"])
    expect(servers("transport: sse")).toEqual([])
  })

  it("are the same list where nothing is selected", () => {
    const { backend } = backendOf(target('{name: a, mcp: {host: "http://a"}}'))
    expect(mcpTargets(backend, new Map<ServiceKey, never>())).toBe(backend.targets)
  })
})

describe("guardrails that are expressions", () => {
  const complaintsOf = (processor: string) =>
    mapped(
      `mcp: {targets: [{name: t, mcp: {host: "http://h:1/mcp"}}], policies: {mcpGuardrails: {processors: [${processor}]}}}`,
    ).complaints

  it("ask nobody, and do one thing", () => {
    expect(complaintsOf('{kind: expression, methods: {"*": full}, reject: no}')).toEqual([])
    expect(
      complaintsOf('{kind: expression, methods: {"*": request}, host: "a:1", reject: no, transform: "{}"}'),
    ).toEqual([
      "mcp.policies.mcpGuardrails.processors.0.host: `host` is for services only: expressions ask nobody",
      "mcp.policies.mcpGuardrails.processors.0: exactly one of `reject` and `transform` must be set",
    ])
  })

  it("are not services", () => {
    expect(complaintsOf('{host: "a:1", methods: {"*": request}, when: "true"}')).toEqual([
      "mcp.policies.mcpGuardrails.processors.0.when: `when` is for expressions only",
    ])
  })
})
