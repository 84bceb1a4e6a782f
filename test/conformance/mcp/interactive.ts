/** The tools that need an answer from the client before they can give theirs. */
import type {
  CreateMessageRequestParams,
  ElicitRequestFormParams,
  InputRequiredResult,
  InputRequests,
  McpServer,
  ServerContext,
} from "@modelcontextprotocol/server"
import {
  acceptedContent,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  ProtocolError,
} from "@modelcontextprotocol/server"
import { text } from "./content.ts"
import type { Fixture } from "./Fixture.ts"
import { capabilitiesOf, type Era, strings } from "./tools.ts"

interface Round {
  readonly tool: string
  readonly round: number
}

/** The key is known to all: what is tested is that nobody else tampers with the state, not that it is kept secret. */
export const states = createRequestStateCodec<Round>({ key: "a key of the conformance fixture, public on purpose" })

const form = (message: string, properties: Record<string, unknown>, required: ReadonlyArray<string> = []) =>
  ({
    message,
    requestedSchema: { type: "object", properties, ...(required.length === 0 ? {} : { required: [...required] }) },
  }) as ElicitRequestFormParams

const nameForm = (message: string) => form(message, { name: { type: "string" } }, ["name"])

const sampling = (words: string, maxTokens: number): CreateMessageRequestParams => ({
  messages: [{ role: "user", content: { type: "text", text: words } }],
  maxTokens,
})

const defaults = form("Please review and update the form fields with defaults", {
  name: { type: "string", description: "User name", default: "John Doe" },
  age: { type: "integer", description: "User age", default: 30 },
  score: { type: "number", description: "User score", default: 95.5 },
  status: {
    type: "string",
    description: "User status",
    enum: ["active", "inactive", "pending"],
    default: "active",
  },
  verified: { type: "boolean", description: "Verification status", default: true },
})

const titled = (titles: ReadonlyArray<string>) => titles.map((title, i) => ({ const: `value${i + 1}`, title }))

const enums = form("Please select options from the enum fields", {
  untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
  titledSingle: { type: "string", oneOf: titled(["First Option", "Second Option", "Third Option"]) },
  legacyEnum: {
    type: "string",
    enum: ["opt1", "opt2", "opt3"],
    enumNames: ["Option One", "Option Two", "Option Three"],
  },
  untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
  titledMulti: { type: "array", items: { anyOf: titled(["First Choice", "Second Choice", "Third Choice"]) } },
})

type Answer = { readonly action: string; readonly content?: unknown }

export const interactiveTools = (server: McpServer, fixture: Fixture, era: Era): void => {
  const pushes = fixture.style === "push" && era === "legacy"

  /** What the user answered, or the result that asks. */
  const elicited = async (
    ctx: ServerContext,
    params: ElicitRequestFormParams,
  ): Promise<Answer | InputRequiredResult> => {
    if (pushes) return await ctx.mcpReq.elicitInput(params)
    const answer = inputResponse(ctx.mcpReq.inputResponses, "answer")
    return answer.kind === "elicit"
      ? answer
      : inputRequired({ inputRequests: { answer: inputRequired.elicit(params) } })
  }

  const asks = (one: Answer | InputRequiredResult): one is InputRequiredResult => "resultType" in one

  const elicits = (name: string, description: string, params: ElicitRequestFormParams) =>
    server.registerTool(name, { description }, async (ctx) => {
      const answer = await elicited(ctx, params)
      return asks(answer)
        ? answer
        : {
            content: [
              text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`),
            ],
          }
    })

  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model.", inputSchema: strings("prompt") },
    async ({ prompt = "" }, ctx) => {
      const said = (content: unknown) => ({ content: [text(`LLM response: ${wordsOf(content)}`)] })
      if (pushes) return said((await ctx.mcpReq.requestSampling(sampling(prompt, 100))).content)
      const answer = inputResponse(ctx.mcpReq.inputResponses, "answer")
      return answer.kind === "sampling"
        ? said(answer.result.content)
        : inputRequired({ inputRequests: { answer: inputRequired.createMessage(sampling(prompt, 100)) } })
    },
  )
  server.registerTool(
    "test_elicitation",
    { description: "Asks the user.", inputSchema: strings("message") },
    async ({ message = "" }, ctx) => {
      const answer = await elicited(
        ctx,
        form(
          message,
          {
            username: { type: "string", description: "User's response" },
            email: { type: "string", description: "User's email address" },
          },
          ["username", "email"],
        ),
      )
      return asks(answer)
        ? answer
        : {
            content: [text(`User response: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`)],
          }
    },
  )
  elicits("test_elicitation_sep1034_defaults", "Asks with defaults of every kind.", defaults)
  elicits("test_elicitation_sep1330_enums", "Asks with choices of every kind.", enums)
  elicits("test_streaming_elicitation", "Asks on a stream.", nameForm("What is your name?"))
}

const wordsOf = (content: unknown): string => {
  const [first] = Array.isArray(content) ? (content as ReadonlyArray<unknown>) : [content]
  return typeof first === "object" && first !== null && "text" in first ? String(first.text) : "nothing"
}

/** Tools of the revision in which asking is a result. */
export const roundTripTools = (server: McpServer): void => {
  const tool = (
    name: string,
    description: string,
    run: (ctx: ServerContext) => Promise<string | InputRequiredResult> | string | InputRequiredResult,
  ) =>
    server.registerTool(name, { description }, async (ctx) => {
      const result = await run(ctx)
      return typeof result === "string" ? { content: [text(result)] } : result
    })
  const ask = (inputRequests: InputRequests, requestState?: string) =>
    inputRequired({ inputRequests, ...(requestState === undefined ? {} : { requestState }) })
  const named = (ctx: ServerContext, key: string): string | undefined => {
    const name = acceptedContent(ctx.mcpReq.inputResponses, key)?.["name"]
    return typeof name === "string" ? name : undefined
  }

  tool("test_input_required_result_elicitation", "Asks for a name.", (ctx) => {
    const name = named(ctx, "user_name")
    return name === undefined
      ? ask({ user_name: inputRequired.elicit(nameForm("What is your name?")) })
      : `Hello, ${name}!`
  })
  tool("test_input_required_result_sampling", "Asks a model.", (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "capital_question")
    return answer.kind === "sampling"
      ? `The model said: ${wordsOf(answer.result.content)}`
      : ask({ capital_question: inputRequired.createMessage(sampling("What is the capital of France?", 100)) })
  })
  tool("test_input_required_result_list_roots", "Asks for roots.", (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "client_roots")
    return answer.kind === "roots"
      ? `Roots: ${answer.roots.map(({ uri }) => uri).join(", ")}`
      : ask({ client_roots: inputRequired.listRoots() })
  })

  const confirm = inputRequired.elicit(form("Please confirm", { ok: { type: "boolean" } }, ["ok"]))
  const confirmed = (name: string, done: string) => async (ctx: ServerContext) => {
    const state = ctx.mcpReq.requestState<Round>()
    const answer = inputResponse(ctx.mcpReq.inputResponses, "confirm")
    if (answer.kind !== "elicit" || state === undefined) {
      return ask({ confirm }, await states.mint({ tool: name, round: 1 }))
    }
    if (state.tool !== name) throw new ProtocolError(-32602, "The state is that of another tool")
    return done
  }
  const requestState = "test_input_required_result_request_state"
  tool(requestState, "Hands out a state and takes it back.", confirmed(requestState, "state-ok"))
  const tampered = "test_input_required_result_tampered_state"
  tool(tampered, "Refuses a state it did not hand out.", confirmed(tampered, "The state was not tampered with"))

  const several = "test_input_required_result_multiple_inputs"
  tool(several, "Asks three things at once.", async (ctx) => {
    const responses = ctx.mcpReq.inputResponses
    const name = named(ctx, "user_name")
    const greeting = inputResponse(responses, "greeting")
    const roots = inputResponse(responses, "client_roots")
    if (name === undefined || greeting.kind !== "sampling" || roots.kind !== "roots") {
      return ask(
        {
          user_name: inputRequired.elicit(nameForm("What is your name?")),
          greeting: inputRequired.createMessage(sampling("Generate a greeting", 50)),
          client_roots: inputRequired.listRoots(),
        },
        await states.mint({ tool: several, round: 1 }),
      )
    }
    return `${wordsOf(greeting.result.content)} ${name}, with ${roots.roots.length} roots`
  })

  const rounds = "test_input_required_result_multi_round"
  tool(rounds, "Asks twice.", async (ctx) => {
    const round = ctx.mcpReq.requestState<Round>()?.round ?? 0
    const color = acceptedContent(ctx.mcpReq.inputResponses, "step2")?.["color"]
    if (round === 2 && typeof color === "string") return `The favourite color is ${color}`
    if (round >= 1 && (round === 2 || named(ctx, "step1") !== undefined)) {
      const params = form("Step 2: What is your favorite color?", { color: { type: "string" } }, ["color"])
      return ask({ step2: inputRequired.elicit(params) }, await states.mint({ tool: rounds, round: 2 }))
    }
    return ask(
      { step1: inputRequired.elicit(nameForm("Step 1: What is your name?")) },
      await states.mint({ tool: rounds, round: 1 }),
    )
  })

  tool("test_input_required_result_capabilities", "Asks only what the client can answer.", (ctx) => {
    const capabilities = capabilitiesOf(server, ctx)
    const responses = ctx.mcpReq.inputResponses
    const requests: InputRequests = {
      ...(capabilities?.sampling !== undefined && inputResponse(responses, "sampled").kind === "missing"
        ? { sampled: inputRequired.createMessage(sampling("Say something", 50)) }
        : {}),
      ...(capabilities?.elicitation !== undefined && inputResponse(responses, "elicited").kind === "missing"
        ? { elicited: inputRequired.elicit(nameForm("What is your name?")) }
        : {}),
    }
    return Object.keys(requests).length === 0 ? "Nothing more to ask" : ask(requests)
  })
}
