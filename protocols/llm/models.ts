/** What is known of models by their names, where formats make a difference by model. */

/** `gpt-5.6-mini` is 5.6; undefined for every other family. */
export const gptVersion = (model: string): number | undefined => {
  const version = /(?:^|\/)gpt-(\d{1,2}(?:\.\d{1,2})?)(?![\d.])/.exec(model)?.[1]
  if (version === undefined) return undefined
  const [major = "0", minor = "0"] = version.split(".")
  return Number(major) + Number(minor) / 100
}

/** Models of OpenAI that think, and so take an effort. */
export const openAiReasons = (model: string): boolean => {
  const version = gptVersion(model)
  return version === undefined ? /(?:^|\/)(?:o[1-9]|gpt-oss|codex)/.test(model) : version >= 5 && !/-chat/.test(model)
}

/** Models of OpenAI that call tools with free text. */
export const takesFreeText = (model: string): boolean => (gptVersion(model) ?? 0) >= 5

/** The version of a Claude, as 4.06 for 4.6, wherever its name puts it; undefined for what is no Claude. */
export const claudeVersion = (model: string): number | undefined => {
  const rest = /claude[-.]([^]*)$/.exec(model)?.[1]
  if (rest === undefined) return undefined
  const [, major, minor] = /(?:^|-)(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])/.exec(rest) ?? []
  return major === undefined ? undefined : Number(major) + Number(minor ?? 0) / 100
}

export const geminiVersion = (model: string): number | undefined => {
  const version = /gemini-(\d{1,2}(?:\.\d{1,2})?)/.exec(model)?.[1]
  return version === undefined ? undefined : Number(version)
}
