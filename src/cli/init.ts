/** `sluice init`: a first configuration to change, where there is none. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { referencePath } from "../config/local/published.ts"
import { withSchemaLine } from "../config/local/write.ts"
import type { Printed } from "./validate.ts"

export const starter = `# Try it:  sluice -f FILE   and then   curl http://localhost:4000/
# Check it: sluice validate FILE
gateways:
  default:
    port: 4000

routes:
  # What begins with /api goes to one service, without that prefix …
  - name: api
    matches:
      - path:
          pathPrefix: /api
    policies:
      urlRewrite:
        path:
          prefix: /
      timeout:
        requestTimeout: 15s
    backends:
      - host: localhost:8080

  # … and everything else is answered here.
  - name: hello
    policies:
      directResponse:
        status: 200
        body: |
          hello from sluice

# Where the gateway itself answers, and how it writes its log. The environment wins over this section.
config:
  adminAddr: localhost:15000
  logging:
    level: info
    format: text
`

const schema = fileURLToPath(new URL(`../../${referencePath}`, import.meta.url))

export const init = (file: string): Printed => {
  try {
    writeFileSync(file, withSchemaLine(starter.replaceAll("FILE", file), schema), { flag: "wx" })
    return { out: `${file} is written. Try it: sluice -f ${file}\n`, error: "", exitCode: 0 }
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === "EEXIST"
    const reason = exists ? "it is there already, and stays as it is" : (error as Error).message
    return { out: "", error: `sluice: ${file} is not written: ${reason}\n`, exitCode: 1 }
  }
}
