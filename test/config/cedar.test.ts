import { describe, expect, it } from "vitest"
import { linesOf, loadedOf } from "./memoryIo.ts"

const config = (cedar: string) =>
  `gateways: {default: {port: 1}}\nroutes: [{policies: {authorization: {cedar: ${cedar}}}, backends: [{host: 'a:1'}]}]`

const schema = 'entity User { level: Long };\nentity Path;\naction "GET" appliesTo { principal: User, resource: Path };'
const files = {
  "good.cedar": 'permit(principal is User, action == Action::"GET", resource)\nwhen { principal.level > 1 };',
  "broken.cedar": "permit(principal, action, resource);\npermit(principal, action)\n;",
  "wrong.cedar": 'permit(principal is User, action == Action::"GET", resource)\nwhen { principal.name == "x" };',
  "template.cedar": "permit(principal == ?principal, action, resource);",
  "empty.cedar": "// nothing",
  "schema.cedarschema": schema,
  "broken.cedarschema": "entity User {",
  "entities.json": '[{"uid":{"type":"User","id":"a"},"attrs":{"level":1},"parents":[]}]',
  "other.json": '[{"uid":{"type":"User","id":"a"},"attrs":{"level":"x"},"parents":[]}]',
  "object.json": "{}",
}
const said = async (cedar: string) =>
  (await linesOf(config(cedar), { files })).map((line) =>
    line.replace(/^\S+ routes\[0\]\.policies\.authorization\./, ""),
  )

describe("policies in Cedar", () => {
  it("are read from files, with their schema and entities", async () => {
    const { dependencies, snapshot } = await loadedOf(
      config("{policies: {file: good.cedar}, schema: {file: schema.cedarschema}, entities: {file: entities.json}}"),
      { files },
    )
    expect(dependencies.toSorted()).toEqual(["entities.json", "good.cedar", "schema.cedarschema"])
    const [route] = [...snapshot.routes.values()]
    expect(route?.policies[0]).toMatchObject({ _tag: "Authorization", cedar: { policies: files["good.cedar"] } })
  })

  it.each([
    ["{policies: {file: broken.cedar}}", [expect.stringMatching(/^cedar\.policies: 2:\d+ /)]],
    [
      "{policies: {file: wrong.cedar}, schema: {file: schema.cedarschema}}",
      [expect.stringMatching(/^cedar\.policies: 2:8 .*name/)],
    ],
    [
      "{policies: {file: good.cedar}, schema: {file: broken.cedarschema}}",
      [expect.stringMatching(/^cedar\.schema: 1:\d+ /)],
    ],
    [
      "{policies: {file: good.cedar}, schema: {file: schema.cedarschema}, entities: {file: other.json}}",
      [expect.stringMatching(/^cedar\.entities: .*/)],
    ],
    ["{policies: {file: good.cedar}, entities: {file: object.json}}", ["cedar.entities: the entities are not a list"]],
    ["{policies: {file: template.cedar}}", ["cedar.policies: static policy set includes a template"]],
    ["{policies: {file: empty.cedar}}", ["cedar.policies: there are no policies, so nobody would pass"]],
    [
      "{policies: {file: good.cedar}, principal: {type: 'a b', id: jwt.sub}}",
      ["cedar.principal.type: expected the name of a type, such as `User` or `App::User`"],
    ],
    ["{policies: {file: good.cedar}, action: 'request.nothing'}", [expect.stringContaining("nothing")]],
  ])("%s is refused at its place", async (cedar, expected) => {
    expect(await said(cedar)).toEqual(expected)
  })
})
