/** What clients may send, sensible or not. */
import * as fc from "fast-check"
import { flowOf, type Told } from "../../../test/stages/exchange.ts"
import { bytes, fields, tokens } from "./answers.ts"

const path = fc.oneof(
  fc.constantFrom(
    "/",
    "/callback",
    "/logout",
    "/ended",
    "/.well-known/oauth-protected-resource/x",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/x/authorize",
    "/.well-known/oauth-authorization-server/x/token",
    "/.well-known/oauth-authorization-server/x/callback",
    "/.well-known/oauth-authorization-server/x/client-registration",
    "//a/../b",
    "/%2f%",
  ),
  fc.string({ maxLength: 6 }).map((one) => `/${one.replaceAll(/[^\x21-\x7e]|[?#]/g, "~")}`),
)
const query = fc.oneof(
  fc.constantFrom(
    "",
    "?",
    "?key=alpha",
    "?state=AAAAAAAA.b&code=c",
    "?state=x&error=%ff",
    "?client_id=c&redirect_uri=::",
  ),
  fc.string({ maxLength: 8 }).map((one) => `?${one.replaceAll(/[^\x21-\x7e]|#/g, "&")}`),
)
const body = fc.oneof(
  fc.constant<Told["body"]>(undefined),
  bytes,
  fc.constantFrom<Told["body"]>(
    "logout_token=a.b.c",
    `logout_token=${tokens[0]}`,
    "grant_type=refresh_token&client_id=c",
    '{"redirect_uris":[1,"a"]}',
  ),
)

export interface Asked {
  readonly told: Told
  readonly isStreamed: boolean
}
export const asked: fc.Arbitrary<Asked> = fc
  .record({
    method: fc.constantFrom("GET", "GET", "POST", "OPTIONS", "HEAD", "PUT", "CONNECT", "PROPFIND"),
    scheme: fc.constantFrom("http", "https"),
    path,
    query,
    headers: fields,
    body,
    version: fc.constantFrom<NonNullable<Told["version"]>>("1.0", "1.1", "2"),
    upgrade: fc.oneof(
      { weight: 7, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant("websocket") },
    ),
    isStreamed: fc.boolean(),
  })
  .map(({ body, headers, isStreamed, method, path, query, scheme, upgrade, version }) => ({
    isStreamed,
    told: {
      method,
      url: `${scheme}://shop.example${path}${query}`,
      headers,
      version,
      ...(body === undefined ? {} : { body }),
      ...(upgrade === undefined ? {} : { upgrade }),
    },
  }))

export const toldOf = ({ isStreamed, told }: Asked): Told =>
  isStreamed && (typeof told.body === "string" || told.body instanceof Uint8Array)
    ? { ...told, body: flowOf([told.body, "more"]) }
    : told
