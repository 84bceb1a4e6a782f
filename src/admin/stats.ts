/** The metrics, as Prometheus reads them: text, or protobuf for whoever asks for it. */
import { exposeProtobuf, expose, type Histograms, protobufType, textType } from "../telemetry/exposition.ts"
import { type Exported, merge } from "../telemetry/Registry.ts"
import { type Answering, isRead, methodNotAllowed, notFound } from "./serve.ts"

const protobufNames = new Set(["application/vnd.google.protobuf", "application/protobuf", "application/x-protobuf"])
const textNames = new Set(["text/plain", "text/*", "*/*"])

/** Whether `Accept` wants protobuf, in the messages and the framing that we have, at least as much as text. */
export const wantsProtobuf = (accept: string | undefined): boolean => {
  let protobuf = 0
  let text = 0
  for (const range of (accept ?? "").split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    const valueOf = (key: string): string | undefined =>
      parameters
        .find((one) => one.startsWith(`${key}=`))
        ?.slice(key.length + 1)
        .replace(/^"(.*)"$/, "$1")
    const said = Number(valueOf("q") ?? "1")
    const quality = said >= 0 && said <= 1 ? said : 0
    if (protobufNames.has(name)) {
      const isOurs =
        (valueOf("proto") ?? "io.prometheus.client.metricfamily") === "io.prometheus.client.metricfamily" &&
        (valueOf("encoding") ?? "delimited") === "delimited"
      if (isOurs) protobuf = Math.max(protobuf, quality)
    } else if (textNames.has(name)) text = Math.max(text, quality)
  }
  return protobuf > 0 && protobuf >= text
}

/** `collect` answers with what each thread has counted. */
export const stats =
  (collect: () => Promise<ReadonlyArray<Exported>>, histograms: Histograms = "classic"): Answering =>
  async ({ headers, method, path }) => {
    if (path !== "/metrics" && path !== "/stats/prometheus") return notFound
    if (!isRead(method)) return methodNotAllowed("GET, HEAD")
    const all = merge(await collect())
    const isProtobuf = wantsProtobuf(headers.accept)
    return {
      status: 200,
      headers: { "content-type": isProtobuf ? protobufType : textType, vary: "accept" },
      body: isProtobuf ? exposeProtobuf(all, histograms) : expose(all, histograms),
    }
  }
