import { describe, expect, it } from "vitest"
import { detect, versionOfGrpc, versionOfRest, versionOfRpc } from "../../../protocols/a2a/detect.ts"
import { readVersion } from "../../../protocols/a2a/version.ts"

const seen = (method: string, path: string, contentType = "application/json") => detect({ method, path, contentType })

describe("what a request is", () => {
  it.each([
    ["/.well-known/agent-card.json", ""],
    ["/agents/a/.well-known/agent-card.json", "/agents/a"],
    ["/agents/a/.well-known/agent.json", "/agents/a"],
  ])("%s asks for a card", (path, base) => {
    expect(seen("GET", path)).toEqual({ _tag: "Card", base })
    expect(seen("HEAD", path)).toEqual({ _tag: "Card", base })
    expect(seen("POST", path)).toEqual({ _tag: "Rpc" })
  })

  it.each([
    ["POST", "/x/message:send", "SendMessage", "/x", {}],
    ["POST", "/v1/message:stream", "SendStreamingMessage", "", {}],
    ["GET", "/tasks", "ListTasks", "", {}],
    ["GET", "/a/b/tasks/t%2F1", "GetTask", "/a/b", { taskId: "t/1" }],
    ["POST", "/tasks/t:cancel", "CancelTask", "", { taskId: "t" }],
    ["GET", "/tasks/a:b:subscribe", "SubscribeToTask", "", { taskId: "a:b" }],
    ["POST", "/v1/tasks/t/pushNotificationConfigs", "CreateTaskPushNotificationConfig", "", { taskId: "t" }],
    [
      "DELETE",
      "/tasks/t/pushNotificationConfigs/c",
      "DeleteTaskPushNotificationConfig",
      "",
      { taskId: "t", configId: "c" },
    ],
    [
      "GET",
      "/tasks/tasks/pushNotificationConfigs/tasks",
      "GetTaskPushNotificationConfig",
      "",
      { taskId: "tasks", configId: "tasks" },
    ],
    ["GET", "/x/v1/card", "GetExtendedAgentCard", "/x", {}],
  ])("%s %s is %s", (method, path, operation, base, ids) => {
    expect(seen(method, path)).toMatchObject({ _tag: "Rest", resource: { operation, base, ...ids } })
  })

  it.each([
    ["GET", "/"],
    ["GET", "/tasks/"],
    ["GET", "/tasks/%zz"],
    ["DELETE", "/tasks/t"],
    ["PUT", "/message:send"],
    ["GET", "/card"],
  ])("%s %s is none of the protocol's", (method, path) => expect(seen(method, path)).toEqual({ _tag: "Other" }))

  it("gRPC goes by its service", () => {
    const grpc = "application/grpc+proto"
    expect(seen("POST", "/lf.a2a.v1.A2AService/GetTask", grpc)).toMatchObject({ version: "1.0", operation: "GetTask" })
    expect(seen("POST", "/a2a.v1.A2AService/TaskSubscription", grpc)).toMatchObject({ operation: "SubscribeToTask" })
    expect(seen("POST", "/a2a.v1.A2AService/ListTasks", grpc)).toMatchObject({ version: "0.3", operation: undefined })
    expect(seen("POST", "/other.Service/GetTask", grpc)).toEqual({ _tag: "Other" })
    expect(seen("POST", "/lf.a2a.v1.A2AService/GetTask")).toEqual({ _tag: "Rpc" })
  })
})

describe("which version is spoken", () => {
  const rpc = (method: string, header?: string) => versionOfRpc(method, readVersion(header))
  it("is said by the header, else by the spelling, else it is 0.3", () => {
    expect(rpc("GetTask")).toEqual({ version: "1.0" })
    expect(rpc("tasks/get")).toEqual({ version: "0.3" })
    expect(rpc("Dance")).toEqual({ version: "0.3" })
    expect(rpc("Dance", "1.0")).toEqual({ version: "1.0" })
    expect(rpc("GetTask", " 1.0.7 ")).toEqual({ version: "1.0" })
    expect(rpc("tasks/get", "")).toEqual({ version: "0.3" })
  })
  it("is refused where header and spelling contradict, and where it is another", () => {
    for (const [method, header] of [
      ["GetTask", "0.3"],
      ["tasks/get", "1.0"],
      ["GetTask", "1.1"],
      ["GetTask", "2"],
      ["x", "1.0; DROP"],
    ] as const) {
      expect(rpc(method, header)).toMatchObject({ fault: { name: "VersionNotSupported" } })
    }
  })
  it("is the one of the service in gRPC, and nobody may say another besides", () => {
    for (const header of [undefined, "", "1.0", "1.0.3"]) {
      expect(versionOfGrpc("1.0", readVersion(header))).toEqual({ version: "1.0" })
    }
    for (const header of ["0.3", "99.0", "x"]) {
      expect(versionOfGrpc("1.0", readVersion(header))).toMatchObject({ fault: { name: "VersionNotSupported" } })
    }
  })
  it("of a path may be the end of what is in front", () => {
    const resource = seen("GET", "/api/v1/tasks/t")
    if (resource._tag !== "Rest") throw new Error("not a path of ours")
    expect(versionOfRest(resource.resource, "/api/v1/tasks/t", readVersion("1.0"))).toEqual({ version: "1.0" })
    expect(versionOfRest(resource.resource, "/api/v1/tasks/t", readVersion(undefined))).toEqual({ version: "0.3" })
  })
})
