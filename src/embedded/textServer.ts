/** The bundled stdio server: tools for texts. Run as a program of its own. */
import { createHash } from "node:crypto"
import { createInterface } from "node:readline"
import { answer, textArgument, type ToolServer } from "./toolServer.ts"

const text = { type: "object", properties: { text: { type: "string" } }, required: ["text"] }

const server: ToolServer = {
  name: "sluice-text",
  instructions: "Tools for texts.",
  tools: [
    {
      name: "count_words",
      description: "Counts the words, lines and characters of a text.",
      inputSchema: text,
      readOnly: true,
      run: (args) => {
        const given = textArgument(args, "text")
        const words = given.split(/\s+/).filter((word) => word !== "").length
        return JSON.stringify({ words, lines: given.split("\n").length, characters: [...given].length })
      },
    },
    {
      name: "checksum",
      description: "The SHA-256 of a text, in hexadecimal.",
      inputSchema: text,
      readOnly: true,
      run: (args) => createHash("sha256").update(textArgument(args, "text")).digest("hex"),
    },
    {
      name: "change_case",
      description: "A text in upper, lower or title case.",
      inputSchema: {
        type: "object",
        properties: { text: { type: "string" }, to: { type: "string", enum: ["upper", "lower", "title"] } },
        required: ["text", "to"],
      },
      readOnly: true,
      run: (args) => {
        const given = textArgument(args, "text")
        switch (textArgument(args, "to")) {
          case "upper":
            return given.toUpperCase()
          case "lower":
            return given.toLowerCase()
          case "title":
            return given.toLowerCase().replaceAll(/(?<=^|\s)\p{L}/gu, (letter) => letter.toUpperCase())
          default:
            throw new Error("`to` is one of upper, lower and title")
        }
      },
    },
  ],
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

// The end of the input is the end of the process: nothing else keeps it alive.
createInterface({ input: process.stdin }).on("line", (line) => {
  const { message } = answer(server, parse(line))
  if (message !== undefined) process.stdout.write(`${JSON.stringify(message)}\n`)
})
