/** Expressions that cannot be compiled would match nothing; each is refused where it is written. */
import { expect, it } from "vitest"
import { patternProblems } from "../../src/config/checkPatterns.ts"
import { mapped } from "./mapped.ts"

const route = (match: string): string => `gateways: {default: {port: 1}}
routes:
- name: r
  matches: [${match}]
  backends: [{host: '127.0.0.1:1'}]
`

const models = (model: string): string => `gateways: {default: {port: 1}}
llm: {gateways: [default], models: [{name: m, provider: openAI, ${model}}]}
`

it.each([
  ["of a path", route("{path: {regex: '/(a|b+/.*'}}"), "routes.0.matches.0.path.regex: missing closing )"],
  [
    "of a header",
    route("{headers: [{name: a, value: {exact: b}}, {name: x, value: {regex: '(?=y)'}}]}"),
    "routes.0.matches.0.headers.1.value.regex: look-around is not part of the RE2 dialect",
  ],
  [
    "of a query parameter",
    route(String.raw`{query: [{name: q, value: {regex: '(a)\1'}}]}`),
    "routes.0.matches.0.query.0.value.regex: back-references are not part of the RE2 dialect",
  ],
  [
    "of a model's headers",
    models("matches: [{headers: [{name: x, value: {regex: '*'}}]}]"),
    "llm.models.0.matches.0.headers.0.value.regex: missing argument to repetition operator",
  ],
  ["that takes too much", route(`{path: {regex: '(a{1000}){1000}'}}`), "routes.0.matches.0.path.regex: the counted"],
])("refuses an expression %s", (_what, text, complaint) => {
  expect(mapped(text).complaints.filter((one) => one.startsWith(complaint))).toHaveLength(1)
})

it("refuses them in a configuration that is told by a program, by their route", () => {
  const { snapshot } = mapped(route("{path: {exact: /}}, {headers: [{name: a, value: {regex: '('}}]}"))
  expect(patternProblems(snapshot)).toEqual([
    expect.stringMatching(/^routes\.\S+\.matches\.1\.headers\.0\.value: missing closing \)/),
  ])
})

it("takes an expression that is one", () => {
  expect(mapped(route("{path: {regex: '/(a|b)+/.*'}}")).complaints).toEqual([])
})
