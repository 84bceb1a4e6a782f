/** Telling a browser that goes somewhere from a script that asks for something, and where it may be sent back to. */
import type { Request } from "../../Exchange.ts"

/** A script would follow a redirect to a page of the provider and make nothing of it. */
export const isNavigation = ({ headers, method }: Pick<Request, "headers" | "method">): boolean => {
  if (method !== "GET" && method !== "HEAD") return false
  if (headers.get("x-requested-with") !== undefined) return false
  const mode = headers.get("sec-fetch-mode")
  // Browsers leave this field out where the connection is not sealed; there they say what they hope to read.
  return mode === undefined
    ? /(?:^|[,\s])text\/html(?:$|[;,\s])/i.test(headers.get("accept") ?? "")
    : mode === "navigate"
}

const TARGET_CHARS_MAX = 2048

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** A path on this very host, read by whatever reader. */
const isLocal = (target: string): boolean => {
  if (!target.startsWith("/") || target.length > TARGET_CHARS_MAX) return false
  // A second slash or a backslash would begin the name of a host, to some readers after decoding, even twice.
  for (let text: string | undefined = target, i = 0; i < 3; i++) {
    if (text === undefined || /^\/[/\\]/.test(text) || /[\\\u0000-\u0020\u007f]/.test(text)) return false
    const next: string | undefined = decoded(text.split(/[?#]/, 1)[0] ?? "")
    if (next === text) return true
    text = next
  }
  return true
}

export const safeTarget = ({ method, target }: Pick<Request, "method" | "target">): string =>
  (method === "GET" || method === "HEAD") && isLocal(target) ? target : "/"
