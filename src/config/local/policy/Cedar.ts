/** Policies in Cedar: read, checked against their schema, each complaint at its place in their own text. */
import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Json } from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Cedar as IrCedar, CedarEntity } from "../../../../ir/policy/Cedar.ts"
import { engine } from "../../../node/cedar.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileOrInline, secret } from "../FileOrInline.ts"
import { Cel, CelMap, expressions, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

const cedarEntity = Schema.Struct({
  type: Schema.NonEmptyString,
  id: Cel,
  attributes: opt(CelMap),
  parents: opt(Cel, 'A list of texts such as `Group::"admins"`.'),
})

const cedarShape = Schema.Struct({
  policies: FileOrInline,
  entities: opt(FileOrInline, "A list of entities, in JSON."),
  schema: opt(FileOrInline, "What the policies are checked against on load."),
  principal: opt(cedarEntity, "Who asks; made of what is known of the caller unless set."),
  action: opt(Cel, "The name of the action; the method unless set."),
  resource: opt(cedarEntity, "What is asked for; the path unless set."),
  context: opt(CelMap),
}).annotate({ identifier: "Cedar", description: "Policies in Cedar, judging beside the rules." })
export interface CedarSchema extends Named<typeof cedarShape> {}
export const Cedar: CedarSchema = cedarShape
export type Cedar = typeof Cedar.Type

/** Line and column, both from 1, of a place counted in bytes. */
const positionIn = (text: string, offset: number): string => {
  const before = Buffer.from(text).subarray(0, offset).toString()
  const lines = before.split("\n")
  return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`
}

const said = (error: DetailedError, text: string): string => {
  const at = error.sourceLocations?.[0]
  const label = at?.label === null || at?.label === undefined ? "" : `: ${at.label}`
  const place = at === undefined ? "" : `${positionIn(text, at.start)} `
  return `${place}${error.message}${label}`
}

const failAll = (errors: ReadonlyArray<DetailedError>, text: string, path: Path, to: Mapping): void => {
  for (const error of errors) to.fail(path, said(error, text), error.help ?? "")
}

type Entity = NonNullable<Cedar["principal"]>

const typeName = /^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/

const entity = ({ attributes, id, parents, type }: Entity, path: Path, to: Mapping): CedarEntity => {
  if (!typeName.test(type)) to.fail([...path, "type"], "expected the name of a type, such as `User` or `App::User`")
  return { type, id, attributes: expressions(attributes), ...present({ parents }) }
}

const textOf = (source: Cedar["policies"] | undefined, path: Path, to: Mapping): string | undefined => {
  const found = source === undefined ? undefined : secret(source, path, to)
  return found === undefined ? undefined : Redacted.value(found)
}

const entitiesIn = (text: string | undefined, path: Path, to: Mapping): ReadonlyArray<Json> | undefined => {
  if (text === undefined) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return to.fail(path, "the entities are not JSON")
  }
  if (!Array.isArray(parsed)) return to.fail(path, "the entities are not a list")
  return parsed as ReadonlyArray<Json>
}

export const cedar = (policy: Cedar, path: Path, to: Mapping): IrCedar | undefined => {
  const text = textOf(policy.policies, [...path, "policies"], to)
  const schema = textOf(policy.schema, [...path, "schema"], to)
  const entities = entitiesIn(textOf(policy.entities, [...path, "entities"], to), [...path, "entities"], to)
  if (text === undefined || entities === undefined) return undefined
  const { checkParseEntities, checkParsePolicySet, checkParseSchema, policySetTextToParts, validate } = engine()
  const parsed = checkParsePolicySet({ staticPolicies: text })
  let isSchemaGood = schema !== undefined
  if (schema !== undefined) {
    const read = checkParseSchema(schema)
    if (read.type === "failure") {
      isSchemaGood = false
      failAll(read.errors, schema, [...path, "schema"], to)
    }
  }
  if (parsed.type === "failure") failAll(parsed.errors, text, [...path, "policies"], to)
  else {
    const parts = policySetTextToParts(text)
    if (parts.type === "success" && parts.policies.length === 0) {
      to.fail([...path, "policies"], "there are no policies, so nobody would pass")
    }
    if (schema !== undefined && isSchemaGood) {
      const answer = validate({ schema, policies: { staticPolicies: text } })
      if (answer.type === "failure") failAll(answer.errors, text, [...path, "policies"], to)
      else {
        failAll(
          answer.validationErrors.map(({ error }) => error),
          text,
          [...path, "policies"],
          to,
        )
        for (const { error } of answer.validationWarnings)
          to.warn([...path, "policies"], said(error, text), error.help ?? "")
      }
    }
  }
  const known = checkParseEntities({
    entities: entities as never,
    ...(schema !== undefined && isSchemaGood ? { schema } : {}),
  })
  if (known.type === "failure") failAll(known.errors, "", [...path, "entities"], to)
  return {
    policies: text,
    entities,
    ...present({
      principal: policy.principal === undefined ? undefined : entity(policy.principal, [...path, "principal"], to),
      action: policy.action,
      resource: policy.resource === undefined ? undefined : entity(policy.resource, [...path, "resource"], to),
    }),
    context: expressions(policy.context),
  }
}
