/** `$VAR`, `${VAR}`, `${VAR:-default}` and `$$` inside one scalar. */

export type Environment = Readonly<Record<string, string | undefined>>

export interface Expansion {
  readonly text: string
  readonly problems: ReadonlyArray<{ readonly source: string; readonly message: string; readonly remedy: string }>
}

const reference = /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::-([^}]*))?\}|(\{[A-Za-z_][^}]*\}?))/g

export const expand = (text: string, environment: Environment): Expansion => {
  const problems: Array<{ source: string; message: string; remedy: string }> = []
  const expanded = text.replaceAll(
    reference,
    (source: string, dollar?: string, bare?: string, braced?: string, fallback?: string, odd?: string) => {
      if (dollar !== undefined) return "$"
      if (odd !== undefined) {
        problems.push({
          source,
          message: `\`${source}\` is not an expansion that is known here`,
          remedy: "Write `${NAME}` or `${NAME:-default}`; write `$$` for a dollar sign.",
        })
        return source
      }
      const name = bare ?? braced ?? ""
      const value = environment[name]
      if (value !== undefined && (value !== "" || fallback === undefined)) return value
      if (fallback !== undefined) return fallback
      problems.push({
        source,
        message: `environment variable not found: ${name}`,
        remedy: `Set ${name}, give a default with \`\${${name}:-default}\`, or write \`$$\` for a dollar sign.`,
      })
      return ""
    },
  )
  return { text: expanded, problems }
}
