/** The skills of an agent as tools of MCP. */
import { type Fields, fieldsOf, listOf, present, textOf } from "../Fields.ts"

/** What models take for a name. */
const NAME_CHARS_MAX = 64
/** Cards are written by others: what goes into a model's prompt is bounded. */
const DESCRIPTION_CHARS_MAX = 4_096
const SKILLS_MAX = 1_000

/** What one tool stands for. */
export interface SkillTool {
  readonly name: string
  /** Absent: the agent as a whole, where it says nothing of its skills. */
  readonly skill: string | undefined
  readonly outputModes: ReadonlyArray<string>
  /** As `tools/list` shows it. */
  readonly tool: Fields
}

/** The tool of an agent without skills. */
const WHOLE_AGENT = "send_message"

const modesOf = (own: unknown, common: unknown): ReadonlyArray<string> => {
  const modes = listOf(own).length > 0 ? listOf(own) : listOf(common)
  return modes.flatMap((mode) => textOf(mode)?.toLowerCase() ?? [])
}

const isText = (mode: string): boolean => mode === "text" || mode.startsWith("text/")
const isJson = (mode: string): boolean => /^application\/(?:[^;]+\+)?json/.test(mode)
const isAny = (mode: string): boolean => mode === "*/*" || mode === "*"

interface Takes {
  readonly text: boolean
  readonly data: boolean
  readonly files: boolean
}

/** An agent that does not say what it takes gets what every agent can do something with. */
const takenBy = (modes: ReadonlyArray<string>): Takes => {
  const any = modes.some(isAny)
  const taken = {
    text: modes.length === 0 || any || modes.some(isText),
    data: modes.length === 0 || any || modes.some(isJson),
    files: any || modes.some((mode) => !isText(mode) && !isJson(mode)),
  }
  return taken.text || taken.data || taken.files ? taken : { ...taken, text: true }
}

const file = {
  type: "object",
  properties: {
    name: { type: "string" },
    mediaType: { type: "string" },
    url: { type: "string", description: "Where the file is." },
    bytes: { type: "string", description: "The file itself, in Base64." },
  },
}

const inputSchemaOf = ({ data, files, text }: Takes): Fields => {
  const required = text && !data && !files ? ["message"] : data && !text && !files ? ["data"] : undefined
  return present({
    type: "object",
    properties: present({
      message: text ? { type: "string", description: "What to say to the agent." } : undefined,
      data: data ? { type: "object", description: "What to hand to the agent as structured data." } : undefined,
      files: files ? { type: "array", items: file, description: "Files to hand to the agent." } : undefined,
      conversation: {
        type: "string",
        description: "The `conversation` of an earlier result, to answer the agent's question or to go on from there.",
      },
    }),
    required,
  })
}

/** What every result promises. */
const outputSchema: Fields = {
  type: "object",
  properties: {
    state: { type: "string", description: "What became of the task: `completed`, or what it waits for." },
    conversation: { type: "string", description: "Hand this to the next call to go on from here." },
    artifacts: { type: "array", items: { type: "object" }, description: "What the agent made." },
    message: { type: "array", items: { type: "object" }, description: "What the agent said last." },
    data: { description: "The one piece of structured data that the agent handed over, where there is just one." },
    url: { type: "string", description: "Where a person has to sign in before the agent can go on." },
  },
  required: ["state"],
}

const nameOf = (id: string): string => {
  const name = id
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, NAME_CHARS_MAX)
  return name === "" ? "skill" : name
}

/** Names stay apart, in the order of the card. */
const apart = (name: string, taken: ReadonlySet<string>): string => {
  if (!taken.has(name)) return name
  for (let i = 2; ; i++) {
    const mark = `-${i}`
    const other = `${name.slice(0, NAME_CHARS_MAX - mark.length)}${mark}`
    if (!taken.has(other)) return other
  }
}

const quoted = (values: unknown): string | undefined => {
  const texts = listOf(values).flatMap((one) => textOf(one) ?? [])
  return texts.length === 0 ? undefined : texts.map((one) => JSON.stringify(one)).join(", ")
}

const describe = (agent: string, about: string | undefined, skill: Fields): string => {
  const examples = quoted(skill["examples"])
  const lines = [
    about,
    examples === undefined ? undefined : `Examples of what to say: ${examples}`,
    `Done by the agent ${agent}.`,
  ]
  return lines
    .filter((line) => line !== undefined)
    .join("\n\n")
    .slice(0, DESCRIPTION_CHARS_MAX)
}

/** Of a card of 1.0. */
export const toolsOf = (card: Fields): ReadonlyArray<SkillTool> => {
  const agent = textOf(card["name"]) ?? "behind it"
  const taken = new Set<string>()
  const toolOf = (skill: Fields, id: string | undefined, about: string | undefined): SkillTool => {
    const name = apart(id === undefined ? WHOLE_AGENT : nameOf(id), taken)
    taken.add(name)
    const takes = takenBy(modesOf(skill["inputModes"], card["defaultInputModes"]))
    return {
      name,
      skill: id,
      outputModes: listOf(skill["outputModes"]).flatMap((mode) => textOf(mode) ?? []),
      tool: present({
        name,
        title: textOf(skill["name"]) ?? agent,
        description: describe(agent, about, skill),
        inputSchema: inputSchemaOf(takes),
        outputSchema,
        annotations: { openWorldHint: true },
        _meta: {
          "dev.sluice/skill": present({
            agent,
            id,
            tags: listOf(skill["tags"]).length === 0 ? undefined : skill["tags"],
          }),
        },
      }),
    }
  }
  const skills = listOf(card["skills"]).slice(0, SKILLS_MAX).map(fieldsOf)
  const named = skills.flatMap((skill) => {
    const id = textOf(skill["id"]) ?? textOf(skill["name"])
    return id === undefined ? [] : [toolOf(skill, id, textOf(skill["description"]))]
  })
  return named.length > 0 ? named : [toolOf({}, undefined, textOf(card["description"]))]
}
