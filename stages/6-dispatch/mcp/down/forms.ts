/** Which forms of a reply a client takes, by `Accept`. Silence and wildcards are taken for consent. */

export interface Forms {
  readonly document: boolean
  readonly events: boolean
}

const both: Forms = { document: true, events: true }

const ranges: Readonly<Record<keyof Forms, ReadonlyArray<string>>> = {
  document: ["application/json", "application/*", "*/*"],
  events: ["text/event-stream", "text/*", "*/*"],
}

export const formsOf = (accept: string | undefined): Forms => {
  if (accept === undefined || accept === "application/json, text/event-stream" || accept === "*/*") return both
  const weights = new Map<string, boolean>()
  for (const part of accept.toLowerCase().split(",")) {
    const [range = "", ...parameters] = part.split(";").map((one) => one.trim())
    weights.set(range, !parameters.some((one) => /^q\s*=\s*0(?:\.0*)?$/.test(one)))
  }
  // What is named more closely counts.
  const takes = (form: keyof Forms): boolean => {
    const named = ranges[form].find((range) => weights.has(range))
    return named !== undefined && weights.get(named) === true
  }
  return { document: takes("document"), events: takes("events") }
}
