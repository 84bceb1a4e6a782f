/** Questions of newer servers in the words of older clients, and their answers in the words of the server again. */
import { arrayOf, asString, Fields, itemsOf, type Json } from "./json.ts"
import { atLeast, type Revision } from "./revision.ts"

/** How a client is asked, and what its answer means to whoever asked. */
export interface Said {
  readonly params: Json | undefined
  readonly restore: (result: Json) => Json
}

const asIs = (result: Json): Json => result

const declined: Json = '{"action":"decline"}'

/** A question in the words of the client it goes to; undefined: it cannot be said there. */
export const askToLegacy = (
  method: string,
  params: Json | undefined,
  revision: Revision,
  elicitationId: string,
): Said | undefined => {
  const fields = Fields.parse(params)
  if (method !== "elicitation/create" || fields === undefined) return { params, restore: asIs }
  if (fields.string("mode") === "url") {
    if (!atLeast(revision, "2025-11-25")) return undefined
    return {
      params: fields.has("elicitationId")
        ? params
        : fields.with("elicitationId", JSON.stringify(elicitationId)).toJson(),
      restore: asIs,
    }
  }
  return atLeast(revision, "2025-11-25") ? { params, restore: asIs } : formToLegacy(fields.without("mode"))
}

/** Enumerations, choices of several and defaults that 2025-06-18 does not have. */
const formToLegacy = (fields: Fields): Said | undefined => {
  const schema = fields.object("requestedSchema")
  const properties = schema?.object("properties")
  if (schema === undefined || properties === undefined) return { params: fields.toJson(), restore: asIs }
  let next = properties
  const lists = new Map<string, ReadonlyArray<Option>>()
  for (const name of properties.names) {
    const property = properties.object(name)
    if (property === undefined) continue
    const options = severalOf(property)
    if (options === undefined) next = next.with(name, propertyToLegacy(property).toJson())
    else {
      // What is told apart by commas cannot hold any.
      if (options.some(({ value }) => value.includes(","))) return undefined
      lists.set(name, options)
      next = next.with(name, listInText(property, options).toJson())
    }
  }
  return {
    params: fields.with("requestedSchema", schema.with("properties", next.toJson()).toJson()).toJson(),
    restore: lists.size === 0 ? asIs : (result) => withLists(result, lists),
  }
}

const propertyToLegacy = (property: Fields): Fields => {
  let next = property.string("type") === "boolean" ? property : property.without("default")
  const choices = itemsOf(property.get("oneOf"))
  if (choices !== undefined) {
    const options = choices.map((one) => Fields.parse(one) ?? Fields.empty)
    next = next
      .without("oneOf")
      .with("enum", arrayOf(options.map((one) => one.get("const") ?? '""')))
      .with("enumNames", arrayOf(options.map((one) => one.get("title") ?? one.get("const") ?? '""')))
  }
  return next
}

interface Option {
  readonly value: string
  readonly title: string
}

/** What a choice of several chooses from; undefined: the property is something else. */
const severalOf = (property: Fields): ReadonlyArray<Option> | undefined => {
  if (property.string("type") !== "array") return undefined
  const items = property.object("items")
  const titled = itemsOf(items?.get("anyOf") ?? items?.get("oneOf"))
  if (titled !== undefined) {
    return titled.map((one) => {
      const fields = Fields.parse(one)
      const value = fields?.string("const") ?? ""
      return { value, title: fields?.string("title") ?? value }
    })
  }
  return itemsOf(items?.get("enum"))?.flatMap((one) => {
    const value = asString(one)
    return value === undefined ? [] : [{ value, title: value }]
  })
}

const listInText = (property: Fields, options: ReadonlyArray<Option>): Fields => {
  const choices = options.map(({ title, value }) => (title === value ? value : `${value} (${title})`)).join(", ")
  const hint = `Any of these, separated by commas: ${choices}`
  const before = property.string("description")
  return property
    .without("items", "minItems", "maxItems", "uniqueItems", "default")
    .with("type", '"string"')
    .with("description", JSON.stringify(before === undefined ? hint : `${before} ${hint}`))
}

const withLists = (result: Json, lists: ReadonlyMap<string, ReadonlyArray<Option>>): Json => {
  const answer = Fields.parse(result)
  let content = answer?.object("content")
  if (answer === undefined || content === undefined || answer.string("action") !== "accept") return result
  for (const [name, options] of lists) {
    const text = content.string(name)
    if (text === undefined) continue
    const words = text.split(",").flatMap((word) => (word.trim() === "" ? [] : [word.trim()]))
    const chosen = words.map((word) => options.find(({ title, value }) => word === value || word === title)?.value)
    // What was typed stands for nothing there is, so nothing was chosen on purpose.
    if (chosen.includes(undefined)) return declined
    content = content.with(name, JSON.stringify([...new Set(chosen)]))
  }
  return answer.with("content", content.toJson()).toJson()
}
