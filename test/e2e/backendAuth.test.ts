/** What backends are shown, through a whole gateway: from the file to what a server checks. */
import * as http from "node:http"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import { compactVerify } from "jose"
import * as Redacted from "effect/Redacted"
import { afterEach, describe, expect, it } from "vitest"
import { credentials as real } from "../../src/node/credentials/credentials.ts"
import type { Credentials } from "../../stages/ports/Credentials.ts"
import { loadedOf } from "../config/memoryIo.ts"
import { objection } from "../node/credentials/sigv4.ts"
import { ec, jwks, signed } from "../stages/5-policy/tokens.ts"
import { type HttpUpstream, httpUpstream, type Started, startGateway } from "./harness.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

interface Place {
  readonly gateway: Started
  readonly backend: HttpUpstream
  readonly send: (path: string, options?: http.RequestOptions, body?: string | Buffer) => Promise<Got>
}

interface Got {
  readonly status: number
  readonly body: string
}

const sendTo =
  (port: number) =>
  (path: string, options: http.RequestOptions = {}, body?: string | Buffer): Promise<Got> =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      })
      request.on("error", reject)
      request.end(body)
    })

const start = async (
  auth: string,
  more: {
    readonly credentials?: Partial<Credentials>
    readonly policies?: string
    readonly files?: Record<string, string>
    readonly listener?: http.RequestListener
  } = {},
): Promise<Place> => {
  const backend = closed(await httpUpstream(more.listener))
  const text = `
gateways: {default: {port: 1}}
routes:
- policies:
    ${more.policies ?? "{}"}
  backends:
  - host: "127.0.0.1:${backend.port}"
    policies: {backendAuth: ${auth}}
`
  const { snapshot } = await loadedOf(text, { files: more.files ?? {} })
  const binds = [...snapshot.binds].map(
    ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  const gateway = closed(
    await startGateway(
      { ...snapshot, binds: new Map(binds) },
      more.credentials === undefined ? {} : { credentials: { ...real, ...more.credentials } },
    ),
  )
  return { gateway, backend, send: sendTo(gateway.port) }
}

interface Reached {
  readonly url: string
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: string
}
const reached = ({ body }: Got) => JSON.parse(body) as Reached

describe("a key", () => {
  it.each([
    ["{key: sesame}", { authorization: "Bearer sesame" }, "/a?x=1"],
    ["{key: {value: sesame, location: {header: {name: x-api-key}}}}", { "x-api-key": "sesame" }, "/a?x=1"],
    [
      "{key: {value: sesame, location: {header: {name: authorization, prefix: 'Token '}}}}",
      { authorization: "Token sesame" },
      "/a?x=1",
    ],
    ["{key: {value: sesame, location: {cookie: {name: key}}}}", { cookie: "key=sesame" }, "/a?x=1"],
    ["{key: {value: 'a b&c', location: {queryParameter: {name: key}}}}", {}, "/a?x=1&key=a%20b%26c"],
  ])("%s stands where the backend wants it", async (auth, headers, url) => {
    const { send } = await start(auth)
    const got = reached(await send("/a?x=1", { headers: { "x-api-key": "of the client", authorization: "Basic abc" } }))
    expect(got.headers).toMatchObject(headers)
    expect(got.url).toBe(url)
  })

  it("in a file is read, and others come beside it", async () => {
    const { send } = await start(
      "{key: {file: key.txt}, credentials: [{location: {header: {name: x-org}}, key: acme}]}",
      { files: { "key.txt": "from-file\n" } },
    )
    expect(reached(await send("/")).headers).toMatchObject({ authorization: "Bearer from-file", "x-org": "acme" })
  })
})

it("a checked token is passed on, an unchecked one is not put in", async () => {
  const key = ec("k")
  const token = signed(key, "ES256", { iss: "i", exp: Math.floor(Date.now() / 1000) + 600, sub: "ann" })
  const { send } = await start("{passthrough: {location: {header: {name: x-token}}}}", {
    policies: `jwtAuth: {mode: optional, issuer: i, jwks: ${JSON.stringify(jwks(key))}}`,
  })
  const good = reached(await send("/", { headers: { authorization: `Bearer ${token}` } }))
  expect([good.headers["x-token"], good.headers["authorization"]]).toEqual([token, undefined])
  expect(reached(await send("/")).headers["x-token"]).toBe(undefined)
})

it("a token is signed with the claims that are configured, and serves until it is half used up", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  const { send } = await start(
    "{jwtSign: {signingKey: {file: sign.pem}, alg: PS256, kid: k1, claims: {iss: gateway, roles: [a]}, ttl: 60s}}",
    { files: { "sign.pem": pem } },
  )
  const first = reached(await send("/")).headers["authorization"] ?? ""
  const { payload, protectedHeader } = await compactVerify(first.slice("Bearer ".length), createPublicKey(privateKey))
  expect(protectedHeader).toEqual({ alg: "PS256", typ: "JWT", kid: "k1" })
  const { exp, iat, ...claims } = JSON.parse(Buffer.from(payload).toString()) as { exp: number; iat: number }
  expect(claims).toEqual({ iss: "gateway", roles: ["a"] })
  expect(exp - iat).toBe(70)
  expect(reached(await send("/")).headers["authorization"]).toBe(first)
})

describe("a signature for AWS", () => {
  const secret = "not-so-secret"
  const auth = `{aws: {accessKeyId: AKIA, secretAccessKey: ${secret}, sessionToken: tok, region: eu-west-1`
  /** Answers with what is wrong with the signature of a request. */
  const checking =
    (service: string): http.RequestListener =>
    (request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const { headers, method = "", url = "" } = request
        const body = Buffer.concat(chunks)
        const wrong = objection({ method, url, headers, body }, secret, service)
        response.setHeader("content-type", "application/json")
        response.end(JSON.stringify({ wrong, url, headers, body: body.toString("latin1") }))
      })
    }

  it.each([
    ["GET", "/model/anthropic.claude-3%3A0/invoke", undefined],
    ["GET", "/a//b/./c?x=1&y=a+b&x=0&z&%C3%A4=%2F", undefined],
    ["POST", "/model/a:b/converse?q=%20", "hello"],
    ["PUT", "/", Buffer.alloc(100_000, "x")],
  ])("%s %s holds", async (method, path, body) => {
    const { send } = await start(`${auth}}}`, { listener: checking("bedrock") })
    const headers = { authorization: "Bearer of-the-client", "x-amz-date": "19700101T000000Z", "x-amz-meta-a": "b" }
    const got = JSON.parse((await send(path, { method, headers }, body)).body) as Reached & { wrong?: string }
    expect(got.wrong).toBe(undefined)
    expect(got.headers["x-amz-security-token"]).toBe("tok")
    expect(got.headers["x-amz-meta-a"]).toBe("b")
    expect(got.body).toBe(body === undefined ? "" : body.toString("latin1"))
  })

  it("covers what other policies of the backend make of the request", async () => {
    const backend = closed(await httpUpstream(checking("bedrock")))
    const { snapshot } = await loadedOf(
      `
gateways: {default: {port: 1}}
routes:
- policies: {urlRewrite: {authority: {full: signed.example}, path: {prefix: /v2}}}
  backends:
  - host: "127.0.0.1:${backend.port}"
    policies:
      backendAuth: ${auth}}}
      requestHeaderModifier: {set: {x-amz-late: "yes"}}
      transformations: {request: {set: {content-type: "'text/x'"}}}
`,
      {},
    )
    const binds = [...snapshot.binds].map(
      ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
    )
    const gateway = closed(await startGateway({ ...snapshot, binds: new Map(binds) }))
    const got = JSON.parse((await sendTo(gateway.port)("/a", { method: "POST" }, "x")).body) as Reached & {
      wrong?: string
    }
    expect(got.wrong).toBe(undefined)
    expect(got.headers["host"]).toBe("signed.example")
    expect(got.headers["authorization"]).toContain(
      "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-late;x-amz-security-token",
    )
    expect(got.url).toBe("/v2/a")
  })

  it("of a body that may not be kept is refused, and of one for S3 goes out in signed chunks", async () => {
    const { backend, send } = await start(`${auth}}}`, { listener: checking("bedrock") })
    const large = Buffer.alloc(3_000_000, "x")
    expect(await send("/", { method: "PUT" }, large)).toEqual({ status: 413, body: "request body too large" })
    expect(backend.requests.length).toBe(0)
    const s3 = await start(`${auth}, serviceName: s3}}`, { listener: checking("s3") })
    const got = JSON.parse(
      (await s3.send("/bucket/an%20object", { method: "PUT", headers: { "content-length": large.byteLength } }, large))
        .body,
    ) as Reached & { wrong?: string }
    expect(got.wrong).toBe(undefined)
    expect(got.headers).toMatchObject({
      "content-encoding": "aws-chunked",
      "x-amz-decoded-content-length": "3000000",
      "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "content-length": String(got.body.length),
    })
    const seed = /Signature=(.*)$/.exec(got.headers["authorization"] ?? "")?.[1] ?? ""
    const at =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
        .exec(got.headers["x-amz-date"] ?? "")
        ?.slice(1)
        .map(Number) ?? []
    const [year = 0, month = 0, ...rest] = at
    const sign = real.awsChunks(
      { accessKeyId: "AKIA", secretAccessKey: Redacted.make(secret), expiresMillis: Infinity },
      { region: "eu-west-1", service: "s3", atMillis: Date.UTC(year, month - 1, ...rest) },
      seed,
    )
    let whole = 0
    for (let left = Buffer.from(got.body, "latin1"); left.byteLength > 0;) {
      const end = left.indexOf("\r\n")
      const [size = "", signature = ""] = left.subarray(0, end).toString().split(";chunk-signature=")
      const chunk = left.subarray(end + 2, end + 2 + Number.parseInt(size, 16))
      expect(signature).toBe(sign(chunk))
      whole += chunk.byteLength
      left = left.subarray(end + 4 + chunk.byteLength)
    }
    expect(whole).toBe(large.byteLength)
  })

  it("uses a role under a name of the request's own, asked for once", async () => {
    const assumed: Array<unknown> = []
    const { send } = await start(
      `{aws: {region: r-1, assumeRole: {roleArn: "arn:aws:iam::123456789012:role/a", sessionName: {expression: "request.headers['x-user']"}, tags: [{key: team, expression: "request.headers['x-team']"}]}}}`,
      {
        listener: checking("bedrock"),
        credentials: {
          aws: async (_given, role) => {
            assumed.push(role)
            return {
              accessKeyId: `A-${role?.sessionName}`,
              secretAccessKey: Redacted.make(secret),
              expiresMillis: Infinity,
            }
          },
        },
      },
    )
    const as = (user: string, team = "t") => send("/", { headers: { "x-user": user, "x-team": team } })
    const got = (await Promise.all([as("ann"), as("ann"), as("bob")])).map(
      (one) => JSON.parse(one.body) as Reached & { wrong?: string },
    )
    expect(got.map(({ wrong }) => wrong)).toEqual([undefined, undefined, undefined])
    expect(got.map(({ headers }) => /Credential=([^/]+)/.exec(headers["authorization"] ?? "")?.[1])).toEqual([
      "A-ann",
      "A-ann",
      "A-bob",
    ])
    expect(assumed.length).toBe(2)
    for (const one of [await as("a"), await as("x y"), await as("ann", "a;b"), await send("/")]) {
      expect(one).toEqual({
        status: 500,
        body: "backend authentication failed: the session of a role cannot be named or tagged",
      })
    }
    expect(assumed.length).toBe(2)
  })

  it("without keys or a region is a refusal that says so, and nothing is sent", async () => {
    const none = await start("{aws: {region: r-1}}", {
      credentials: { aws: async () => Promise.reject(new Error("secret reason")) },
    })
    expect(await none.send("/")).toEqual({
      status: 500,
      body: "backend authentication failed: credentials of AWS cannot be obtained",
    })
    expect(none.backend.requests.length).toBe(0)
    const nowhere = await start("{aws: {accessKeyId: A, secretAccessKey: s}}", {
      credentials: { awsRegion: async () => undefined },
    })
    expect((await nowhere.send("/")).body).toContain("no region of AWS is known")
    expect(nowhere.backend.requests.length).toBe(0)
  })
})

describe("a token of a cloud", () => {
  it("is fetched once for all and put in", async () => {
    let asked = 0
    const { send } = await start("{gcp: {}}", {
      credentials: {
        gcp: async () => {
          asked++
          await new Promise((resolve) => setTimeout(resolve, 20))
          return { value: Redacted.make("ya29"), expiresMillis: Date.now() + 3_600_000 }
        },
      },
    })
    const all = await Promise.all(Array.from({ length: 10 }, () => send("/")))
    expect(new Set(all.map((one) => reached(one).headers["authorization"]))).toEqual(new Set(["Bearer ya29"]))
    expect(asked).toBe(1)
  })

  it("for an identity names its audience, which an address cannot give", async () => {
    const wanted: Array<unknown> = []
    const credentials: Partial<Credentials> = {
      gcp: async (token) => {
        wanted.push(token)
        return { value: Redacted.make("id"), expiresMillis: Date.now() + 3_600_000 }
      },
    }
    const named = await start("{gcp: {type: idToken, audience: 'https://a.example'}}", { credentials })
    expect(reached(await named.send("/")).headers["authorization"]).toBe("Bearer id")
    expect(wanted).toEqual([{ _tag: "IdToken", audience: "https://a.example" }])
    const unnamed = await start("{gcp: {type: idToken}}", { credentials })
    expect((await unnamed.send("/")).body).toContain("an identity token needs an audience")
  })

  it("of Azure is for the resource that the backend is", async () => {
    const scopes: Array<string> = []
    const { send } = await start("{azure: {implicit: {}}}", {
      credentials: {
        azure: async (_source, scope) => {
          scopes.push(scope)
          return { value: Redacted.make("az"), expiresMillis: Date.now() + 3_600_000 }
        },
      },
    })
    expect(reached(await send("/")).headers["authorization"]).toBe("Bearer az")
    expect(scopes).toEqual(["https://cognitiveservices.azure.com/.default"])
  })

  it("of GitHub Copilot comes with what its server wants to see", async () => {
    const { send } = await start("copilot", { credentials: { copilot: async () => Redacted.make("gho") } })
    expect(reached(await send("/")).headers).toMatchObject({
      authorization: "Bearer gho",
      "x-initiator": "agent",
      "x-github-api-version": "2025-10-01",
    })
  })
})
