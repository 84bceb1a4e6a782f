import * as Redacted from "effect/Redacted"
import { mkdtempSync, mkdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { make } from "../../../src/node/credentials/copilot.ts"

const home = () => {
  const folder = mkdtempSync(join(tmpdir(), "copilot-"))
  return {
    folder,
    write: (name: string, text: string) => {
      const path = join(folder, ".config", name)
      mkdirSync(join(path, ".."), { recursive: true })
      writeFileSync(path, text)
    },
  }
}
const found = async (env: Record<string, string>, folder: string) => Redacted.value(await make({ env, home: folder })())

it("the token of GitHub Copilot is that of the environment, else the first that a program left", async () => {
  const { folder, write } = home()
  await expect(found({}, folder)).rejects.toThrow("nobody is logged in")
  write("gh/hosts.yml", "github.com:\n    user: ann\n    oauth_token: gho_gh\n")
  expect(await found({}, folder)).toBe("gho_gh")
  write("github-copilot/apps.json", '{"github.com:Iv1.x":{"user":"ann","oauth_token":"ghu_apps"}}')
  expect(await found({}, folder)).toBe("ghu_apps")
  write("github-copilot/hosts.json", '{"example.com":{"oauth_token":"no"},"github.com":{"oauth_token":""}}')
  expect(await found({}, folder)).toBe("ghu_apps")
  write("github-copilot/hosts.json", '{"github.com":{"oauth_token":"ghu_hosts"}}')
  expect(await found({}, folder)).toBe("ghu_hosts")
  expect(await found({ COPILOT_GITHUB_TOKEN: "b" }, folder)).toBe("b")
  expect(await found({ COPILOT_GITHUB_TOKEN: "b", GH_COPILOT_TOKEN: "a" }, folder)).toBe("a")
  expect(await found({ XDG_CONFIG_HOME: join(folder, ".config") }, "/nonexistent")).toBe("ghu_hosts")
})
