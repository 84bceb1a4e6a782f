/** Cards of agents that the gateway plays itself. */
import { type Fields, fieldsOf, listOf, present, textOf } from "../Fields.ts"

/** What is said of an agent in the configuration. */
export interface Words {
  readonly name: string
  readonly description?: string | undefined
  readonly version?: string | undefined
}

export interface SkillWords {
  readonly id: string
  readonly name?: string | undefined
  readonly description?: string | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly examples?: ReadonlyArray<string> | undefined
}

const SCHEMA_CHARS_MAX = 4_000

const skillOf = ({ description, examples, id, name, tags }: SkillWords): Fields =>
  present({
    id,
    name: name ?? id,
    description: description ?? name ?? id,
    // Readers of both versions want one at least.
    tags: tags === undefined || tags.length === 0 ? ["general"] : tags,
    examples: examples === undefined || examples.length === 0 ? undefined : examples,
  })

const cardOf = (
  { description, name, version }: Words,
  about: string,
  skills: ReadonlyArray<Fields>,
  more: Fields,
): Fields => ({
  name,
  description: description ?? about,
  version: version ?? "1.0.0",
  ...more,
  skills,
})

const capabilities = (pushes: boolean): Fields => ({ streaming: true, pushNotifications: pushes })

/** Of an agent that is a model. */
export const cardOfModel = (words: Words, skills: ReadonlyArray<SkillWords>, pushes: boolean): Fields =>
  cardOf(
    words,
    `Answers what ${words.name} is asked.`,
    (skills.length > 0
      ? skills
      : [{ id: "chat", name: "Chat", description: words.description ?? "Answers questions", tags: ["chat"] }]
    ).map(skillOf),
    {
      capabilities: capabilities(pushes),
      defaultInputModes: ["text/plain", "application/json", "image/png", "image/jpeg"],
      defaultOutputModes: ["text/plain"],
    },
  )

/** A tool as a skill: what it takes is said in words, since skills have no place for schemas. */
const skillOfTool = (tool: Fields): ReadonlyArray<Fields> => {
  const name = textOf(tool["name"])
  if (name === undefined) return []
  const schema = JSON.stringify(tool["inputSchema"] ?? {})
  const { properties } = fieldsOf(tool["inputSchema"])
  const takes =
    Object.keys(fieldsOf(properties)).length === 0
      ? "It takes no arguments."
      : schema.length > SCHEMA_CHARS_MAX
        ? `It takes: ${Object.keys(fieldsOf(properties)).join(", ")}.`
        : `It takes data of this JSON schema: ${schema}`
  const about = textOf(tool["description"]) ?? textOf(tool["title"]) ?? name
  return [
    {
      id: name,
      name: textOf(tool["title"]) ?? textOf(fieldsOf(tool["annotations"])["title"]) ?? name,
      description: `${about}\n\n${takes}`,
      tags: ["tool"],
    },
  ]
}

/** Of an agent that does what tools do. */
export const cardOfTools = (words: Words, tools: ReadonlyArray<Fields>, pushes: boolean): Fields =>
  cardOf(words, `Does what its skills say, as ${words.name}.`, tools.flatMap(skillOfTool), {
    capabilities: capabilities(pushes),
    defaultInputModes: ["application/json", "text/plain"],
    defaultOutputModes: ["text/plain", "application/json"],
  })

/** The tools of a listing, which is JSON of others. */
export const toolsIn = (listing: Fields): ReadonlyArray<Fields> => listOf(listing["tools"]).map(fieldsOf)
