/** Amazon's libraries behind the port: published signatures, and keys from servers of our own. */
import * as fc from "fast-check"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { aws, awsChunks, awsRegion, awsSign } from "../../../src/node/credentials/aws.ts"
import type { AwsKeys } from "../../../stages/ports/Credentials.ts"
import { localServer, withEnvironment } from "./local.ts"
import { objection } from "./sigv4.ts"

const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
const keys: AwsKeys = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: Redacted.make(secret),
  expiresMillis: Infinity,
}
const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest("hex")

const cleanup: Array<() => unknown> = []
afterEach(async () => {
  for (const one of cleanup.splice(0).toReversed()) await one()
})

describe("a signature", () => {
  it.each([
    [[["lifecycle", ""]], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"],
    [
      [
        ["prefix", "J"],
        ["max-keys", "2"],
      ],
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ] as const)("is the one that Amazon publishes for %j", async (query, expected) => {
    const request = { method: "GET", authority: "examplebucket.s3.amazonaws.com", path: "/", query, headers: [] }
    const scope = { region: "us-east-1", service: "s3", atMillis: Date.UTC(2013, 4, 24) }
    const { fields, signature } = await awsSign({ ...request, payload: sha256("") }, keys, scope)
    expect(signature).toBe(expected)
    expect(fields.slice(2, 4)).toEqual(["x-amz-date", "20130524T000000Z"])
  })

  it("of chunks is the chain that Amazon publishes", () => {
    const scope = { region: "us-east-1", service: "s3", atMillis: Date.UTC(2013, 4, 24) }
    const sign = awsChunks(keys, scope, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
    expect([sign(Buffer.alloc(65_536, "a")), sign(Buffer.alloc(1024, "a")), sign(new Uint8Array(0))]).toEqual([
      "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ])
  })

  it("of any request is one that a server finds right", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 12 })
    const segment = fc.string({ unit: fc.constantFrom(..."aZ0-._~:$@!*'()+,;=ä "), minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("bedrock", "s3", "execute-api"),
        fc.array(
          segment.filter((one) => one !== "." && one !== ".."),
          { maxLength: 4 },
        ),
        // The signer keeps parameters in an object, which cannot hold one of this name.
        fc.array(
          fc.tuple(
            text.filter((one) => one !== "__proto__"),
            text,
          ),
          { maxLength: 4 },
        ),
        fc.array(fc.tuple(fc.constantFrom("x-amz-a", "x-amz-b", "content-type"), fc.constantFrom("v", "a  b", " c ")), {
          maxLength: 3,
        }),
        fc.string(),
        async (service, segments, pairs, fields, body) => {
          const query = pairs.filter(([name, value]) => name.isWellFormed() && value.isWellFormed() && name !== "")
          const path = `/${segments.map(encodeURIComponent).join("/")}`
          const request = { method: "POST", authority: "a.example:8443", path, query, headers: fields }
          const signed = await awsSign({ ...request, payload: sha256(body) }, keys, {
            region: "eu-west-1",
            service,
            atMillis: 1_700_000_000_000,
          })
          const headers: Record<string, string> = { host: "a.example:8443" }
          for (const [name, value] of fields) headers[name] = name in headers ? `${headers[name]},${value}` : value
          for (let i = 0; i < signed.fields.length; i += 2)
            headers[signed.fields[i] as string] = signed.fields[i + 1] as string
          const encoded = query.map((pair) => pair.map(encodeURIComponent).join("=")).join("&")
          const url = encoded === "" ? path : `${path}?${encoded}`
          expect(objection({ method: "POST", url, headers, body: Buffer.from(body) }, secret, service)).toBe(undefined)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe("keys", () => {
  it("come from the environment first", async () => {
    cleanup.push(withEnvironment({ AWS_ACCESS_KEY_ID: "AKIA1", AWS_SECRET_ACCESS_KEY: "s1", AWS_SESSION_TOKEN: "t1" }))
    const found = await aws(undefined, undefined, undefined)
    expect([found.accessKeyId, Redacted.value(found.secretAccessKey)]).toEqual(["AKIA1", "s1"])
    expect(found.sessionToken && Redacted.value(found.sessionToken)).toBe("t1")
    expect(found.expiresMillis).toBeGreaterThan(Date.now())
    expect(JSON.stringify(found)).not.toContain("s1")
  })

  it("come from the credentials of a container", async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    const server = await localServer((request) =>
      request.url === "/creds" && request.headers["authorization"] === "tok"
        ? { body: { AccessKeyId: "ASIA2", SecretAccessKey: "s2", Token: "t2", Expiration: expiration } }
        : { status: 403, body: {} },
    )
    cleanup.push(server.close)
    cleanup.push(
      withEnvironment({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/creds`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: "tok",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      }),
    )
    const found = await aws(undefined, undefined, undefined)
    expect([found.accessKeyId, found.expiresMillis]).toEqual(["ASIA2", Date.parse(expiration)])
  })

  it("come from the metadata server of a machine", async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    const server = await localServer((request) => {
      if (request.url === "/latest/api/token") return { text: "imds-token" }
      if (request.headers["x-aws-ec2-metadata-token"] !== "imds-token") return { status: 401, text: "" }
      if (request.url === "/latest/meta-data/iam/security-credentials/") return { text: "node-role" }
      return {
        body: {
          Code: "Success",
          Type: "AWS-HMAC",
          LastUpdated: new Date().toISOString(),
          AccessKeyId: "ASIA3",
          SecretAccessKey: "s3",
          Token: "t3",
          Expiration: expiration,
        },
      }
    })
    cleanup.push(server.close)
    cleanup.push(
      withEnvironment({
        AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url,
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      }),
    )
    expect((await aws(undefined, undefined, undefined)).accessKeyId).toBe("ASIA3")
  })

  it("of a role are asked for with the given keys, the name and the tags", async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    const server = await localServer(() => ({
      type: "text/xml",
      text: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA4</AccessKeyId><SecretAccessKey>s4</SecretAccessKey><SessionToken>t4</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    }))
    cleanup.push(server.close)
    cleanup.push(withEnvironment({ AWS_ENDPOINT_URL_STS: server.url, AWS_CONFIG_FILE: "/nonexistent/config" }))
    const role = {
      roleArn: "arn:aws:iam::123456789012:role/a",
      sessionName: "ann",
      tags: [{ key: "team", value: "x y" }],
    }
    const found = await aws(keys, role, "eu-west-1")
    expect([found.accessKeyId, found.expiresMillis]).toEqual(["ASIA4", Date.parse(expiration)])
    const [request] = server.requests
    const form = new URLSearchParams(request?.body.toString())
    expect(Object.fromEntries(form)).toMatchObject({
      Action: "AssumeRole",
      RoleArn: role.roleArn,
      RoleSessionName: "ann",
      "Tags.member.1.Key": "team",
      "Tags.member.1.Value": "x y",
    })
    if (request === undefined) throw new Error("nobody asked")
    expect(objection(request, secret, "sts")).toBe(undefined)
  })

  it("that nobody has are an error in words", async () => {
    cleanup.push(
      withEnvironment({
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      }),
    )
    await expect(aws(undefined, undefined, undefined)).rejects.toThrow(/credentials/i)
  })
})

it("the region is that of the environment", async () => {
  cleanup.push(withEnvironment({ AWS_REGION: "ap-south-1" }))
  expect(await awsRegion()).toBe("ap-south-1")
})
