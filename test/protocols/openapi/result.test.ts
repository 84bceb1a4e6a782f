import { describe, expect, it } from "vitest"
import { type ApiReply, resultOf } from "../../../protocols/openapi/result.ts"

const reply = (text: string, more: Partial<ApiReply> = {}) =>
  resultOf({ status: 200, contentType: "application/json", bytes: new TextEncoder().encode(text), path: "/a", ...more })
const result = (text: string, more: Partial<ApiReply> = {}): unknown => JSON.parse(reply(text, more))

describe("what an API answers", () => {
  it("is passed on in the characters it came in", () => {
    const text = '{ "id" : 12345678901234567890, "x": 1.0, "é": "\\u00e9" }'
    expect(reply(text)).toContain(`"structuredContent":${text}`)
    expect(result(text)).toMatchObject({ content: [{ type: "text", text }] })
  })

  it.each(["[1]", "null", '"text"', "3"])("that is %s is given inside an object", (text) => {
    expect(result(text)).toMatchObject({ structuredContent: { data: JSON.parse(text) } })
  })

  it("that is no JSON although it says so is text", () => {
    expect(result("<html>")).toEqual({ content: [{ type: "text", text: "<html>" }] })
  })

  it("that is empty says its status", () => {
    expect(result("", { status: 204, contentType: undefined })).toEqual({
      content: [{ type: "text", text: "HTTP 204" }],
    })
  })

  it.each([400, 404, 422, 500, 503])(
    "with the status %i is the error of a tool, which the model can read",
    (status) => {
      const found = result('{"error":"why"}', { status }) as { content: Array<{ text: string }>; isError: boolean }
      expect(found.isError).toBe(true)
      expect(found.content[0]?.text).toMatch(new RegExp(`^HTTP ${status} .*\\n\\{"error":"why"\\}$`))
    },
  )

  it("that is no text is content of its kind", () => {
    const bytes = Uint8Array.of(1, 2, 3)
    expect(result("", { bytes, contentType: "image/png" })).toEqual({
      content: [{ type: "image", data: "AQID", mimeType: "image/png" }],
    })
    expect(result("", { bytes, contentType: "application/pdf" })).toEqual({
      content: [{ type: "resource", resource: { uri: "openapi:/a", mimeType: "application/pdf", blob: "AQID" } }],
    })
  })
})
