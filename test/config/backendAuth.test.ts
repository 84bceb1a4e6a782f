import { describe, expect, it } from "vitest"
import { linesOf } from "./memoryIo.ts"
import { key } from "./pem.ts"

const policy = (auth: string) =>
  `gateways: {default: {port: 1}}\nroutes: [{backends: [{host: 'a:1', policies: {backendAuth: ${auth}}}]}]`

const said = async (auth: string) =>
  (
    await linesOf(policy(auth), {
      files: {
        "key.pem": key,
        "bad.json": "{",
        "user.json": '{"type":"user"}',
        "gdch.json": '{"type":"gdch_service_account"}',
      },
    })
  ).map((line) => line.replace(/^\S+ routes\[0\]\.backends\[0\]\.policies\.backendAuth\.?/, ""))

const role = (more: string) => `{aws: {region: r, assumeRole: {roleArn: 'arn:aws:iam::123456789012:role/a', ${more}}}}`

describe("what no backend could be shown is refused on load", () => {
  it.each([
    ["{}", [": no kind of authentication is set"]],
    [role("sessionName: 'a b'"), ["aws.assumeRole.sessionName: expected 2 to 64 letters, digits and `+=,.@-_`"]],
    [
      role("tags: [{key: a, value: x}, {key: a, value: 'b;c'}]"),
      [
        'aws.assumeRole.tags[1].key: two tags are called "a"',
        "aws.assumeRole.tags[1].value: expected at most 256 letters, digits, spaces and `_.:/=+-@`",
      ],
    ],
    ["{aws: {assumeRole: {roleArn: 'role/a'}}}", ["aws.assumeRole.roleArn: expected `arn:aws:iam::ACCOUNT:role/NAME`"]],
    [role("sessionName: {expression: 'nothing.at.all'}"), [expect.stringContaining("nothing")]],
    ["{gcp: {credential: {file: bad.json}}}", ["gcp.credential: the credential is not JSON"]],
    [
      "{gcp: {credential: {file: user.json}}}",
      [expect.stringContaining("gcp.credential: the `type` of the credential is none of")],
    ],
    ["{gcp: {credential: {file: gdch.json}}}", ["gcp.credential: a `gdch_service_account` gives identity tokens only"]],
    ["{jwtSign: {signingKey: abc}}", ["jwtSign.signingKey: this is no private key"]],
    ["{jwtSign: {signingKey: {file: key.pem}, alg: ES384}}", ["jwtSign.signingKey: the key cannot sign with ES384"]],
    [
      "{jwtSign: {signingKey: {file: key.pem}, alg: ES256, claims: {exp: 1}}}",
      ["jwtSign.claims.exp: the claim `exp` is set by the gateway"],
    ],
    [
      "{key: {value: abc, location: {expression: 'request.path'}}}",
      ["key.location: `expression` can only read a credential, not put one in"],
    ],
  ])("%s", async (auth, expected) => {
    expect(await said(auth)).toEqual(expected)
  })
})
