import { describe, expect, it } from "vitest"
import { authorizationUrl, issuerProblem, wantedScopes } from "../../../protocols/oauth/authorization.ts"
import { clientDocument, methodFor, parseRegistered, registrationBody } from "../../../protocols/oauth/registration.ts"

describe("the answer of an authorization server", () => {
  const silent = { issuer: "https://a.example", namesItself: false }
  const named = { issuer: "https://a.example", namesItself: true }
  it("is believed only from the server that was asked, letter by letter", () => {
    expect(issuerProblem("https://a.example", named)).toBeUndefined()
    expect(issuerProblem("https://a.example", silent)).toBeUndefined()
    expect(issuerProblem(null, silent)).toBeUndefined()
    expect(issuerProblem(null, named)).toBeDefined()
    for (const iss of [
      "https://a.example/",
      "https://A.example",
      "https://a.example:443",
      "https://evil.example",
      "",
    ]) {
      expect(issuerProblem(iss, named), iss).toBeDefined()
      expect(issuerProblem(iss, silent), iss).toBeDefined()
    }
  })
})

describe("what is asked for", () => {
  const server = { scopes: [], grantTypes: [] }
  it("is what the challenge names, else what the resource names, else nothing", () => {
    expect(wantedScopes(server, ["x"], ["y"], [], [])).toEqual(["x"])
    expect(wantedScopes(server, undefined, ["y"], [], [])).toEqual(["y"])
    expect(wantedScopes(server, undefined, undefined, [], [])).toEqual([])
    expect(wantedScopes(server, undefined, ["y"], ["z"], [])).toEqual(["z"])
    expect(wantedScopes(server, ["x"], ["y"], ["z"], [])).toEqual(["z", "x"])
  })
  it("never is less than was granted before", () => {
    expect(wantedScopes(server, ["x"], undefined, [], ["old", "x"])).toEqual(["old", "x"])
  })
  it("is access while nobody is there, where the server knows of that", () => {
    expect(wantedScopes({ scopes: ["offline_access"], grantTypes: [] }, ["x"], undefined, [], [])).toEqual([
      "x",
      "offline_access",
    ])
    expect(
      wantedScopes({ scopes: ["offline_access"], grantTypes: ["authorization_code"] }, ["x"], undefined, [], []),
    ).toEqual(["x"])
  })
  it("goes into the URL beside what the endpoint has already", () => {
    const url = new URL(
      authorizationUrl("https://a.example/auth?tenant=1", {
        clientId: "c",
        redirectUri: "https://g.example/cb",
        state: "s",
        challenge: "h",
        scopes: ["x", "y"],
        resource: "https://r.example/mcp",
      }),
    )
    expect(Object.fromEntries(url.searchParams)).toEqual({
      tenant: "1",
      response_type: "code",
      client_id: "c",
      redirect_uri: "https://g.example/cb",
      state: "s",
      code_challenge: "h",
      code_challenge_method: "S256",
      scope: "x y",
      resource: "https://r.example/mcp",
    })
  })
})

describe("a client", () => {
  it("asks for a secret where it can have one, and says what kind of program it is", () => {
    const body = (redirect: string, methods: ReadonlyArray<string>) =>
      JSON.parse(registrationBody("Sluice", redirect, { tokenEndpointAuthMethods: methods }, ["x"])) as Record<
        string,
        unknown
      >
    expect(body("https://g.example/cb", [])).toMatchObject({
      token_endpoint_auth_method: "client_secret_basic",
      application_type: "web",
      grant_types: ["authorization_code", "refresh_token"],
      scope: "x",
    })
    expect(body("http://127.0.0.1:1/cb", ["none", "client_secret_post"])).toMatchObject({
      token_endpoint_auth_method: "client_secret_post",
      application_type: "native",
    })
    expect(body("http://localhost:1/cb", ["none"])).toMatchObject({ token_endpoint_auth_method: "none" })
    expect(JSON.parse(clientDocument("https://g.example/c.json", "Sluice", "https://g.example/cb"))).toMatchObject({
      client_id: "https://g.example/c.json",
      redirect_uris: ["https://g.example/cb"],
      token_endpoint_auth_method: "none",
    })
  })
  it("proves itself as it was told when it was registered", () => {
    const server = { tokenEndpointAuthMethods: ["client_secret_post"] }
    const of = (fields: object) => parseRegistered(JSON.stringify({ client_id: "c", ...fields }), server)
    expect(
      of({ client_secret: "s", token_endpoint_auth_method: "client_secret_basic", client_secret_expires_at: 0 }),
    ).toEqual({
      clientId: "c",
      clientSecret: "s",
      method: "client_secret_basic",
      expiresSeconds: undefined,
    })
    expect(of({ client_secret: "s" })).toMatchObject({ method: "client_secret_post" })
    expect(of({})).toMatchObject({ method: "none", clientSecret: undefined })
    expect(of({ client_secret: "s", client_secret_expires_at: 9 })).toMatchObject({ expiresSeconds: 9 })
    for (const bad of [{ token_endpoint_auth_method: "private_key_jwt" }, { client_id: "" }, { client_id: 1 }]) {
      expect(typeof of(bad)).toBe("string")
    }
    expect(methodFor({ tokenEndpointAuthMethods: ["none"] }, true)).toBe("client_secret_basic")
    expect(methodFor({ tokenEndpointAuthMethods: ["client_secret_basic"] }, false)).toBe("none")
  })
})
