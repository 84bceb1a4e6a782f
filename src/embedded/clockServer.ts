/** The bundled server over HTTP: what time it is, anywhere. */
import { textArgument, type ToolServer } from "./toolServer.ts"

const inZone = (instant: Date, zone: string): string => {
  try {
    return new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long", timeZone: zone }).format(instant)
  } catch {
    throw new Error(`${zone} is no time zone; write it as in Europe/Paris`)
  }
}

const zoneOf = (args: Readonly<Record<string, unknown>>): string =>
  args["zone"] === undefined ? "UTC" : textArgument(args, "zone")

const zone = { type: "string", description: "Time zone, as in Europe/Paris; UTC unless given." }

export const clockServer = (now: () => number): ToolServer => ({
  name: "sluice-clock",
  instructions: "What time it is, anywhere.",
  tools: [
    {
      name: "now",
      description: "The time that it is now.",
      inputSchema: { type: "object", properties: { zone } },
      readOnly: true,
      run: (args) => inZone(new Date(now()), zoneOf(args)),
    },
    {
      name: "convert",
      description: "An instant, such as 2026-01-31T12:00:00Z, as people of a time zone write it.",
      inputSchema: { type: "object", properties: { instant: { type: "string" }, zone }, required: ["instant"] },
      readOnly: true,
      run: (args) => {
        const instant = new Date(textArgument(args, "instant"))
        if (Number.isNaN(instant.getTime()))
          throw new Error("the instant cannot be read; write it as 2026-01-31T12:00:00Z")
        return inZone(instant, zoneOf(args))
      },
    },
  ],
})
