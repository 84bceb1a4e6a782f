/** Anthropic's own interface. */
import type { Headers } from "../../../../protocols/http/headers.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { suffixOf } from "./openAi.ts"
import { host, replacingV1, type VendorTraits } from "./VendorCall.ts"

export const anthropicVersion = "2023-06-01"

const formats: ReadonlyArray<Format> = ["anthropicMessages", "anthropicCountTokens"]

/** What a browser sends of its own accord makes Anthropic take the call for one from a page. */
const fromBrowsers = /^(?:origin|access-control-request-.*|sec-fetch-.*)$/

const withoutBrowser = (headers: Headers): void => {
  const names = new Set<string>()
  for (const [name] of headers) if (fromBrowsers.test(name)) names.add(name)
  for (const name of names) headers.remove(name)
}

export const anthropic: VendorTraits = {
  name: "anthropic",
  address: () => host("api.anthropic.com"),
  formats: () => formats,
  path: ({ format, prefix = "/v1" }) => `${prefix}${suffixOf(format)}`,
  opaquePath: replacingV1,
  // Tokens of people who logged in stay tokens; keys have a header of their own.
  credential: (_, token) => (token.startsWith("sk-ant-oat") ? "authorization" : "x-api-key"),
  head: (headers) => {
    headers.set("anthropic-version", anthropicVersion)
    withoutBrowser(headers)
  },
}
