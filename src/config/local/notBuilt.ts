/** The page that says what is refused by name, written from the list that refuses. */
import { type Kind, notBuilt, withoutEffect } from "./built.ts"

/** Beside the JSON Schema. */
export const notBuiltPath = "docs/reference/not-built.md"

const titles: Readonly<Record<Kind, string>> = {
  backends: "Backends",
  sections: "Sections",
  protocols: "Protocols of listeners",
  tunnels: "`tunnelProtocol`",
  policies: "Policies",
  fields: "Fields",
  config: "`config`",
}

const list = (names: ReadonlyArray<string>): string => names.map((name) => `\`${name}\``).join(", ")

export const notBuiltText = (): string => `# Not built yet

Written by \`npm run reference\`. These decode and are checked like everything else, and are then refused by name, so that
a configuration is never half in effect.

| | |
|---|---|
${Object.entries(notBuilt)
  .map(([kind, names]) => `| ${titles[kind as Kind]} | ${list(names)} |\n`)
  .join("")}
Accepted with a warning, since a file may keep them without harm:
${withoutEffect.map((name) => `\`config.${name}\``).join(", ")}.
`
