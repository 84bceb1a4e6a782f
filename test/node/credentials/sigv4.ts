/** Signature Version 4 as a server checks it, written from its description and from nothing of ours. */
import { createHash, createHmac } from "node:crypto"

export interface Received {
  readonly method: string
  /** As it came. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Buffer
}

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex")
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const uriEncode = (text: string): string =>
  Array.from(Buffer.from(text, "utf8"), (byte) =>
    /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("")

/** What is wrong with the signature; undefined: nothing. */
export const objection = (
  { body, headers, method, url }: Received,
  secret: string,
  service: string,
): string | undefined => {
  const header = (name: string): string => {
    const value = headers[name]
    return (Array.isArray(value) ? value.join(",") : String(value ?? "")).trim().replace(/ +/g, " ")
  }
  const parsed =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      header("authorization"),
    )
  if (parsed === null) return `not an authorization: ${header("authorization")}`
  const [, , day = "", region = "", named = "", list = "", signature] = parsed
  if (named !== service) return `signed for ${named}`
  const signedNames = list.split(";")
  const mustBeSigned = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-"))
  for (const name of mustBeSigned) if (!signedNames.includes(name)) return `${name} is not signed`
  if (header("x-amz-date").slice(0, 8) !== day) return "the day is another"
  const payload = header("x-amz-content-sha256")
  if (/^[0-9a-f]{64}$/.test(payload) && payload !== sha256(body)) return "the body is another"
  const [path = "", query = ""] = url.split("?", 2)
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".")
  const canonicalPath =
    service === "s3"
      ? path
      : `/${segments.map(uriEncode).join("/")}${path.endsWith("/") && segments.length > 0 ? "/" : ""}`
  const canonicalQuery = query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", value = ""] = pair.split("=", 2)
      return [uriEncode(decodeURIComponent(name)), uriEncode(decodeURIComponent(value))] as const
    })
    .toSorted(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&")
  const canonical = [
    method,
    canonicalPath,
    canonicalQuery,
    ...signedNames.map((name) => `${name}:${header(name)}`),
    "",
    list,
    payload,
  ].join("\n")
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = ["AWS4-HMAC-SHA256", header("x-amz-date"), scope, sha256(canonical)].join("\n")
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), "aws4_request")
  return hmac(key, text).toString("hex") === signature ? undefined : `the signature does not fit\n${canonical}`
}
