import { assert, describe, it } from "@effect/vitest"
import { Headers } from "../../../protocols/http/headers.ts"
import { codeOfHttp, nameOf, statusIn } from "../../../protocols/grpc/status.ts"

describe("the status of a call", () => {
  it("is a number and percent-encoded words", () => {
    assert.deepStrictEqual(statusIn(new Headers(["grpc-status", "7", "grpc-message", "no %C3%A9ntry"])), {
      code: 7,
      message: "no éntry",
    })
    assert.deepStrictEqual(statusIn(new Headers(["grpc-status", "0"])), { code: 0, message: "" })
  })

  it("is unknown where it is no number, and absent where nothing is said", () => {
    for (const nonsense of ["", "OK", "-1", "1.5", "99999999999"]) {
      assert.strictEqual(statusIn(new Headers(["grpc-status", nonsense]))?.code, 2, nonsense)
    }
    assert.isUndefined(statusIn(new Headers(["grpc-message", "x"])))
    assert.isUndefined(statusIn(undefined))
  })

  it("follows from an HTTP status that a proxy gave", () => {
    assert.deepStrictEqual(
      [400, 401, 403, 404, 429, 502, 503, 504, 500, 200, 302].map((status) => nameOf(codeOfHttp(status))),
      [
        "INTERNAL",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
        ...Array<string>(4).fill("UNAVAILABLE"),
        ...Array<string>(3).fill("UNKNOWN"),
      ],
    )
    assert.strictEqual(nameOf(99), "99")
  })
})
