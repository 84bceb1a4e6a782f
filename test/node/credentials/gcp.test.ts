/** Google's library behind the port, with servers of our own in place of Google's. */
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { make } from "../../../src/node/credentials/gcp.ts"
import { ec, signed } from "../../stages/5-policy/tokens.ts"
import { type LocalServer, localServer, type Said, withEnvironment } from "./local.ts"

const cleanup: Array<() => unknown> = []
afterEach(async () => {
  for (const one of cleanup.splice(0).toReversed()) await one()
})

const serving = async (answer: Parameters<typeof localServer>[0]): Promise<LocalServer> => {
  const server = await localServer(answer)
  cleanup.push(server.close)
  return server
}

/** Whatever is asked of Google is asked of that server, under its path. */
const insteadOf =
  (server: LocalServer): typeof globalThis.fetch =>
  (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    return fetch(`${server.url}/${url.host}${url.pathname}${url.search}`, init)
  }

const nowhere = { GOOGLE_APPLICATION_CREDENTIALS: "", HOME: "/dev/null/nowhere", CLOUDSDK_CONFIG: "/dev/null/nowhere" }
const idToken = (aud: string) => signed(ec("g"), "ES256", { aud, exp: 2_000_000_000 })

describe("a token of Google", () => {
  it("comes from the metadata server of the machine", async () => {
    const server = await serving(({ headers, url }): Said => {
      const flavor = { "metadata-flavor": "Google" }
      if (headers["metadata-flavor"] !== "Google") return { status: 403, text: "" }
      if (url.includes("/identity?"))
        return { text: idToken(new URL(url, "http://x").searchParams.get("audience") ?? ""), headers: flavor }
      if (url.includes("/token"))
        return { body: { access_token: "ya29.m", expires_in: 3599, token_type: "Bearer" }, headers: flavor }
      return { text: "ok", headers: flavor }
    })
    cleanup.push(
      withEnvironment({
        ...nowhere,
        GCE_METADATA_HOST: `127.0.0.1:${server.port}`,
        METADATA_SERVER_DETECTION: "assume-present",
      }),
    )
    const gcp = make()
    const token = await gcp({ _tag: "AccessToken" }, undefined)
    expect(Redacted.value(token.value)).toBe("ya29.m")
    expect(token.expiresMillis).toBeGreaterThan(Date.now() + 3_000_000)
    const identity = await gcp({ _tag: "IdToken", audience: "https://run.example" }, undefined)
    expect(identity.expiresMillis).toBe(2_000_000_000_000)
    expect(
      JSON.parse(Buffer.from(Redacted.value(identity.value).split(".")[1] ?? "", "base64url").toString()),
    ).toMatchObject({ aud: "https://run.example" })
  })

  it("comes for a service account, which signs for itself who it is", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const credential = {
      type: "service_account",
      client_email: "gw@p.iam.gserviceaccount.com",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      private_key_id: "k",
      project_id: "p",
      token_uri: "https://oauth2.googleapis.com/token",
    }
    const server = await serving(({ body }): Said => {
      const form = new URLSearchParams(body.toString())
      const claims = JSON.parse(
        Buffer.from((form.get("assertion") ?? "").split(".")[1] ?? "", "base64url").toString(),
      ) as Record<string, unknown>
      if (
        form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer" ||
        claims["iss"] !== credential.client_email
      )
        return { status: 400, body: {} }
      return claims["target_audience"] === undefined
        ? { body: { access_token: "ya29.s", expires_in: 3599, token_type: "Bearer" } }
        : { body: { id_token: idToken(String(claims["target_audience"])) } }
    })
    cleanup.push(withEnvironment(nowhere))
    const gcp = make(insteadOf(server))
    const json = Redacted.make(JSON.stringify(credential))
    expect(Redacted.value((await gcp({ _tag: "AccessToken" }, json)).value)).toBe("ya29.s")
    expect((await gcp({ _tag: "IdToken", audience: "https://run.example" }, json)).expiresMillis).toBe(
      2_000_000_000_000,
    )
    expect(server.requests.every(({ url }) => url === "/oauth2.googleapis.com/token")).toBe(true)
  })

  it("comes for a user who logged in", async () => {
    const server = await serving(({ body }) =>
      new URLSearchParams(body.toString()).get("refresh_token") === "1//r"
        ? { body: { access_token: "ya29.u", expires_in: 100 } }
        : { status: 400, body: {} },
    )
    cleanup.push(withEnvironment(nowhere))
    const json = Redacted.make(
      JSON.stringify({ type: "authorized_user", client_id: "c", client_secret: "s", refresh_token: "1//r" }),
    )
    const token = await make(insteadOf(server))({ _tag: "AccessToken" }, json)
    expect(Redacted.value(token.value)).toBe("ya29.u")
  })

  it("that nobody gives is an error in words", async () => {
    const server = await serving(() => ({ status: 400, body: { error: "invalid_grant" } }))
    cleanup.push(withEnvironment(nowhere))
    const json = Redacted.make(
      JSON.stringify({ type: "authorized_user", client_id: "c", client_secret: "s", refresh_token: "x" }),
    )
    await expect(make(insteadOf(server))({ _tag: "AccessToken" }, json)).rejects.toThrow(/invalid_grant/)
  })
})
