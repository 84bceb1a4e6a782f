/** Holds what the admin API answers to what it says about itself. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>
}
interface Operation {
  readonly responses: Readonly<Record<string, Content>>
}

export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

export class Described {
  readonly description: Description
  /** Method and path of every answer that was looked at. */
  readonly seen = new Set<string>()
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true })
  private readonly compiled = new Map<object, ValidateFunction>()

  constructor(description: Description) {
    this.description = description
  }

  static async of(admin: string): Promise<Described> {
    return new Described((await (await fetch(`${admin}/api/openapi.json`)).json()) as Description)
  }

  /** Throws where the answer is not as described. `path`: below `/api/`, without a query. */
  hold(method: string, path: string, status: number, type: string | null, text: string): void {
    const found = this.find(method, `/api/${path.split("?", 1)[0]}`)
    if (found === undefined) {
      if (status !== 404 && status !== 405) throw new Error(`${method} ${path} is not described, and answers ${status}`)
      return
    }
    const { name, operation } = found
    const { content } = operation.responses[String(status)] ?? operation.responses["default"] ?? {}
    const media = type?.split(";", 1)[0] ?? ""
    const schema = content?.[media]?.schema
    if (schema === undefined) throw new Error(`${name} answers ${status} with ${media}, which is not described`)
    if (status === 200) this.seen.add(name)
    if (media !== "application/json") return
    const validate = this.compiled.get(schema) ?? this.compile(schema)
    if (!validate(JSON.parse(text))) {
      throw new Error(`${name} (${status}) is not as described: ${this.ajv.errorsText(validate.errors)}\n${text}`)
    }
  }

  private compile(schema: object): ValidateFunction {
    const validate = this.ajv.compile({ ...schema, components: this.description.components })
    this.compiled.set(schema, validate)
    return validate
  }

  private find(method: string, path: string): { readonly name: string; readonly operation: Operation } | undefined {
    const exact = Object.entries(this.description.paths).toSorted(
      ([a], [b]) => a.split("{").length - b.split("{").length,
    )
    for (const [template, operations] of exact) {
      const pattern = new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+")}$`)
      const operation = operations[method.toLowerCase()]
      if (pattern.test(path) && operation !== undefined) return { name: `${method} ${template}`, operation }
    }
    return undefined
  }
}
