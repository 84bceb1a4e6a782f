import { assert, describe, it } from "@effect/vitest"
import { decodeGrpcMessage, encodeGrpcMessage, grpcStatusOf, isGrpc } from "../../../protocols/http/grpc.ts"

describe("gRPC", () => {
  it("is recognised by its media type", () => {
    for (const type of [
      "application/grpc",
      "Application/gRPC",
      "application/grpc+proto",
      "application/grpc;a=b",
      "application/grpc ;a",
    ]) {
      assert.isTrue(isGrpc(type), type)
    }
    for (const type of [
      undefined,
      "",
      "application/grpc-web",
      "application/grpc-web+proto",
      "application/grpcx",
      "text/plain; application/grpc",
      "application/json",
    ]) {
      assert.isFalse(isGrpc(type), type)
    }
  })

  it("says an HTTP status in its own codes", () => {
    const codes = [200, 400, 401, 407, 403, 404, 429, 502, 503, 504, 500, 418].map(grpcStatusOf)
    assert.deepStrictEqual(codes, [0, 13, 16, 16, 7, 12, 14, 14, 14, 14, 2, 2])
  })

  it("encodes a message so that it fits in a field", () => {
    assert.strictEqual(encodeGrpcMessage("plain text"), "plain text")
    assert.strictEqual(encodeGrpcMessage("100% é\n"), "100%25 %C3%A9%0A")
    assert.strictEqual(decodeGrpcMessage("100%25 %c3%A9%0A"), "100% é\n")
    assert.strictEqual(decodeGrpcMessage("50% %zz %4"), "50% %zz %4")
  })
})
