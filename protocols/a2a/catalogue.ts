/** The list of agents that clients search, and one card for all of them together. */
import { type Fields, fieldsOf, isFields, listOf, present, textOf } from "./Fields.ts"
import { cardVersion } from "./version.ts"

/** An agent as it is listed. */
export interface Listed {
  readonly id: string
  readonly cardUrl: string
  /** As 1.0 has it; undefined while it cannot be had. */
  readonly card: Fields | undefined
}

const texts = (value: unknown): ReadonlyArray<string> => listOf(value).filter((one) => typeof one === "string")

const skillsOf = (card: Fields | undefined): ReadonlyArray<Fields> => listOf(card?.["skills"]).filter(isFields)

const distinct = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> => [...new Set(values)]

const tagsOf = (card: Fields | undefined): ReadonlyArray<string> =>
  distinct(skillsOf(card).flatMap((skill) => texts(skill["tags"])))

const modesOf = (card: Fields | undefined, side: "Input" | "Output"): ReadonlyArray<string> =>
  distinct([
    ...texts(card?.[`default${side}Modes`]),
    ...skillsOf(card).flatMap((skill) => texts(skill[`${side.toLowerCase()}Modes`])),
  ])

const versionsOf = (card: Fields | undefined): ReadonlyArray<string> =>
  distinct(
    listOf(card?.["supportedInterfaces"]).flatMap((one) => cardVersion(textOf(fieldsOf(one)["protocolVersion"])) ?? []),
  )

const entryOf = ({ card, cardUrl, id }: Listed): Fields =>
  present({
    id,
    cardUrl,
    health: card === undefined ? "unreachable" : "reachable",
    name: card?.["name"],
    description: card?.["description"],
    version: card?.["version"],
    skills: skillsOf(card).map(({ description, id: skill, name, tags }) =>
      present({ id: skill, name, description, tags }),
    ),
    tags: tagsOf(card),
    inputModes: modesOf(card, "Input"),
    outputModes: modesOf(card, "Output"),
    capabilities: card?.["capabilities"],
    agentVersions: versionsOf(card),
  })

export interface Search {
  readonly skill: string | undefined
  readonly tag: string | undefined
  readonly inputMode: string | undefined
  readonly outputMode: string | undefined
  /** Words that all have to be found, in whatever case. */
  readonly q: string | undefined
}

const has = (values: ReadonlyArray<string>, wanted: string | undefined): boolean =>
  wanted === undefined || values.includes(wanted)

export const matches = ({ card, id }: Listed, { inputMode, outputMode, q, skill, tag }: Search): boolean => {
  const skills = skillsOf(card).map((one) => textOf(one["id"]) ?? "")
  if (!has(skills, skill) || !has(tagsOf(card), tag)) return false
  if (!has(modesOf(card, "Input"), inputMode) || !has(modesOf(card, "Output"), outputMode)) return false
  if (q === undefined) return true
  const text = JSON.stringify([id, card?.["name"], card?.["description"], skillsOf(card)]).toLowerCase()
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

export const PAGE_MAX = 100

export interface Page {
  readonly entries: ReadonlyArray<Fields>
  readonly nextPageToken: string
  readonly totalSize: number
}

/** Agents keep the order of the configuration; a page begins behind the agent its token names. */
export const pageOf = (all: ReadonlyArray<Listed>, size: number, token: string | undefined): Page => {
  const after = token === undefined ? -1 : all.findIndex(({ id }) => id === token)
  const shown = all.slice(after + 1, after + 1 + size)
  const last = shown.at(-1)
  return {
    entries: shown.map(entryOf),
    nextPageToken: last !== undefined && all.at(-1) !== last ? last.id : "",
    totalSize: all.length,
  }
}

/** What names a skill of one agent among those of all. */
const skillSeparator = "__"

/** One agent that can do what all of them can; interfaces are added by whoever offers it. */
export const facade = (name: string, all: ReadonlyArray<Listed>): Fields => {
  const cards = all.flatMap(({ card }): ReadonlyArray<Fields> => (card === undefined ? [] : [card]))
  const can = (capability: string): boolean => cards.some((card) => fieldsOf(card["capabilities"])[capability] === true)
  const input = distinct(cards.flatMap((card) => modesOf(card, "Input")))
  const output = distinct(cards.flatMap((card) => modesOf(card, "Output")))
  return {
    name,
    description: `${all.length} agents behind one address: ${all.map(({ id }) => id).join(", ")}`,
    version: "1.0.0",
    capabilities: { streaming: can("streaming"), pushNotifications: can("pushNotifications") },
    defaultInputModes: input.length === 0 ? ["text/plain"] : input,
    defaultOutputModes: output.length === 0 ? ["text/plain"] : output,
    skills: all.flatMap(({ card, id }) =>
      skillsOf(card).map((skill) => ({
        ...skill,
        id: `${id}${skillSeparator}${String(skill["id"])}`,
        tags: distinct([...texts(skill["tags"]), id]),
      })),
    ),
  }
}

/** The agent that has a skill: by its full name, else by the agent's own where only one has it. */
export const agentWith = (all: ReadonlyArray<Listed>, skill: string): string | undefined => {
  const at = skill.indexOf(skillSeparator)
  const named = at < 0 ? undefined : all.find(({ id }) => id === skill.slice(0, at))
  if (named !== undefined) return named.id
  const able = all.filter(({ card, id }) => id === skill || skillsOf(card).some((one) => one["id"] === skill))
  return able.length === 1 ? able[0]?.id : undefined
}
