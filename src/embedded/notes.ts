/** The bundled API: a few notes, kept as long as the gateway runs. What it can do is said by its OpenAPI document. */

export interface Note {
  readonly id: number
  readonly text: string
}

export interface NotesReply {
  readonly status: number
  readonly body: unknown
}

const notesMax = 1_000
const textCharsMax = 4_000

export class Notes {
  private readonly notes = new Map<number, Note>([[1, { id: 1, text: "This note came with the gateway." }]])
  private lastId = 1

  /** `path` is what follows `/notes`. */
  answer(method: string, path: string, query: URLSearchParams, body: unknown): NotesReply {
    if (path === "" || path === "/") {
      if (method === "GET") return { status: 200, body: this.found(query.get("containing") ?? "") }
      if (method === "POST") return this.added(body)
      return { status: 405, body: { error: "only GET and POST are understood here" } }
    }
    const id = Number(path.slice(1))
    const note = this.notes.get(id)
    if (note === undefined) return { status: 404, body: { error: `there is no note ${path.slice(1)}` } }
    if (method === "GET") return { status: 200, body: note }
    if (method !== "DELETE") return { status: 405, body: { error: "only GET and DELETE are understood here" } }
    this.notes.delete(id)
    return { status: 200, body: note }
  }

  private found(text: string): { readonly notes: ReadonlyArray<Note> } {
    return { notes: [...this.notes.values()].filter((note) => note.text.includes(text)) }
  }

  private added(body: unknown): NotesReply {
    const text = typeof body === "object" && body !== null && "text" in body ? body.text : undefined
    if (typeof text !== "string" || text === "" || text.length > textCharsMax) {
      return { status: 422, body: { error: `a note has a text of 1 to ${textCharsMax} characters` } }
    }
    if (this.notes.size >= notesMax) return { status: 507, body: { error: `there are ${notesMax} notes already` } }
    const note = { id: ++this.lastId, text }
    this.notes.set(note.id, note)
    return { status: 201, body: note }
  }
}

const note = {
  type: "object",
  properties: { id: { type: "integer" }, text: { type: "string" } },
  required: ["id", "text"],
}
const json = (schema: object) => ({ content: { "application/json": { schema } } })
const id = { name: "id", in: "path", required: true, schema: { type: "integer" } }

export const notesDocument = {
  openapi: "3.1.0",
  info: { title: "Notes", version: "1.0.0" },
  paths: {
    "/notes": {
      get: {
        operationId: "list_notes",
        summary: "All notes, or those that contain a text",
        parameters: [{ name: "containing", in: "query", schema: { type: "string" } }],
        responses: { "200": json({ type: "object", properties: { notes: { type: "array", items: note } } }) },
      },
      post: {
        operationId: "add_note",
        summary: "Keeps a note",
        requestBody: {
          required: true,
          ...json({ type: "object", properties: { text: { type: "string" } }, required: ["text"] }),
        },
        responses: { "201": json(note) },
      },
    },
    "/notes/{id}": {
      parameters: [id],
      get: { operationId: "read_note", summary: "One note", responses: { "200": json(note) } },
      delete: { operationId: "delete_note", summary: "Throws a note away", responses: { "200": json(note) } },
    },
  },
} as const
