/** Waits for its input to end, which is when the gateway is gone, and ends the process groups it was told of. */

const termMillis = 1_000

const groups = new Set<number>()
let rest = ""

const signal = (name: "SIGTERM" | "SIGKILL"): void => {
  for (const group of groups) {
    try {
      process.kill(-group, name)
    } catch {
      // Nobody of the group is left.
      groups.delete(group)
    }
  }
}

process.stdin.setEncoding("utf8")
process.stdin.on("data", (text: string) => {
  const lines = `${rest}${text}`.split("\n")
  rest = lines.pop() ?? ""
  for (const line of lines) {
    const group = Number(line.slice(1))
    if (!Number.isSafeInteger(group) || group <= 1) continue
    if (line.startsWith("+")) groups.add(group)
    else groups.delete(group)
  }
})
process.stdin.on("close", () => {
  signal("SIGTERM")
  if (groups.size === 0) process.exit(0)
  setTimeout(() => {
    signal("SIGKILL")
    process.exit(0)
  }, termMillis)
})

// It has to outlive the gateway, so what is meant for that is not for it.
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => {})
