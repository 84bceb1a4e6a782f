/** Which build this is. */
import { readFileSync } from "node:fs"

/** The manifest stands above the sources, one further up above the compiled files, and beside those of a bundle. */
const manifestOf = (base: string): { readonly version: string } => {
  for (const up of ["../../package.json", "../../../package.json", "../package.json", "./package.json"]) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(up, base), "utf8")) as { name?: string; version?: string }
      if (manifest.name === "sluice" && manifest.version !== undefined) return { version: manifest.version }
    } catch {
      // Not there: one further up.
    }
  }
  return { version: "unknown" }
}

export const version: string = manifestOf(import.meta.url).version

export const versionText = (short: boolean): string =>
  short ? version : `sluice ${version} (node ${process.version}, ${process.platform}-${process.arch})`
