/**
 * Programs that people use, through a gateway that was made from a file. One that is not installed is skipped, and said to
 * be in the name of its tests.
 */
import { execFile, execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { pem, until } from "../harness.ts"
import { makeDirectory } from "../standalone.ts"
import { type Front, large, start, sum, thousand, type Understood } from "./front.ts"

const isThere = (program: string, ...args: ReadonlyArray<string>): boolean => {
  try {
    execFileSync(program, args, { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
const has = {
  curl: isThere("curl", "--version"),
  curlHttp2: isThere("sh", "-c", "curl --version | grep -qw HTTP2"),
  python: isThere("python3", "--version"),
  wrk: isThere("sh", "-c", "command -v wrk"),
}
const ifThere = (program: keyof typeof has, name: string): string =>
  has[program] ? name : `${name} (SKIPPED: ${program} is not installed)`

const directory = makeDirectory()
const largeFile = path.join(directory, "large.bin")
fs.writeFileSync(largeFile, large)
const caFile = path.join(directory, "ca.pem")
fs.writeFileSync(caFile, pem("ca.pem"))

let front: Front
const url = (where: string): string => front.url(where)
const sealedUrl = (where: string): string => front.sealedUrl(where)

beforeAll(async () => {
  front = await start()
})
afterAll(async () => {
  await front.close()
  fs.rmSync(directory, { recursive: true })
})

const run = (program: string, args: ReadonlyArray<string>, input?: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { encoding: "latin1", maxBuffer: 64 << 20, timeout: 60_000 },
      (error, out, err) =>
        error === null
          ? resolve(out)
          : reject(new Error(`${error.message}\n${out.slice(0, 500)}\n${err.slice(-2_000)}`)),
    )
    child.stdin?.end(input)
  })
describe.runIf(has.curl)(ifThere("curl", "curl"), { timeout: 90_000 }, () => {
  /** Status and version of the reply to the client, and what the server understood. */
  const curl = async (...args: ReadonlyArray<string>): Promise<Understood & { readonly came: string }> => {
    const out = await run("curl", ["-sS", "-w", "\n%{http_code} %{http_version}", ...args])
    const cut = out.lastIndexOf("\n")
    return { ...JSON.parse(out.slice(0, cut)), came: out.slice(cut + 1) }
  }

  it.each([
    ["HTTP/1.0", ["--http1.0"], "200 1.1"],
    ["HTTP/1.1", ["--http1.1"], "200 1.1"],
    ["an upgrade to HTTP/2 that is passed by", ["--http2"], "200 1.1"],
    ["HTTP/2 by prior knowledge", ["--http2-prior-knowledge"], "200 2"],
  ] as const)("%s", async (_name, args, came) => {
    if (!has.curlHttp2 && args[0].includes("http2")) return
    expect(await curl(...args, url("/a?b=c"))).toMatchObject({ came, method: "GET", url: "/a?b=c" })
  })

  it("HTTP/2 and HTTP/1.1 over TLS, by ALPN", async () => {
    const trust = ["--cacert", caFile]
    if (has.curlHttp2)
      expect(await curl(...trust, "--http2", sealedUrl("/a"))).toMatchObject({ came: "200 2", url: "/a" })
    expect(await curl(...trust, "--http1.1", sealedUrl("/a"))).toMatchObject({ came: "200 1.1", url: "/a" })
    expect(await curl(...trust, "--no-alpn", sealedUrl("/a"))).toMatchObject({ came: "200 1.1", url: "/a" })
  })

  it.each([
    ["with its length, after 100", ["--data-binary", `@${largeFile}`]],
    ["with its length, expecting nothing", ["-H", "expect:", "--data-binary", `@${largeFile}`]],
    ["in chunks", ["-X", "POST", "-H", "transfer-encoding: chunked", "-T", largeFile]],
    [
      "in chunks, after 100",
      ["-X", "POST", "-H", "transfer-encoding: chunked", "-H", "expect: 100-continue", "-T", largeFile],
    ],
  ] as const)("an upload %s", async (_name, args) => {
    for (const version of ["--http1.1", ...(has.curlHttp2 ? ["--http2-prior-knowledge"] : [])]) {
      const seen = await curl(version, ...args, url("/up"))
      expect(seen).toMatchObject({ method: "POST", length: large.byteLength, sum: sum(large) })
      expect(seen.headers["expect"]).toBeUndefined()
    }
  })

  it("an upload in HTTP/1.0, and one from a pipe", async () => {
    const seen = await curl("--http1.0", "-H", "expect:", "--data-binary", `@${largeFile}`, url("/up"))
    expect(seen).toMatchObject({ length: large.byteLength, sum: sum(large) })
    const piped = await run("curl", ["-sS", "-T", "-", url("/pipe")], large)
    expect(JSON.parse(piped)).toMatchObject({ method: "PUT", length: large.byteLength, sum: sum(large) })
  })

  it("a large download, whole, in every version", async () => {
    for (const version of ["--http1.0", "--http1.1", ...(has.curlHttp2 ? ["--http2-prior-knowledge"] : [])]) {
      const out = await run("curl", ["-sS", version, url("/large")])
      expect([version, sum(Buffer.from(out, "latin1"))]).toEqual([version, sum(large)])
    }
  })

  it("--compressed, ranges, and a download that is taken up again", async () => {
    expect(await run("curl", ["-sS", "--compressed", url("/gzip")])).toBe("unpacked")
    expect(await run("curl", ["-sS", "-r", "10-19", url("/range")])).toBe(thousand.subarray(10, 20).toString("latin1"))
    const head = await run("curl", ["-sS", "-r", "0-9", "-o", "/dev/null", "-D", "-", url("/range")])
    expect(head).toMatch(/^HTTP\/1\.1 206 Partial Content\r\n/)
    expect(head.toLowerCase()).toContain("content-range: bytes 0-9/1000\r\n")
  })

  it("HEAD", async () => {
    for (const version of ["--http1.1", ...(has.curlHttp2 ? ["--http2-prior-knowledge"] : [])]) {
      const head = (await run("curl", ["-sS", version, "-I", url("/range")])).toLowerCase()
      expect(head).toMatch(/^http\/\S+ 200/)
      expect(head).toContain("accept-ranges: bytes")
    }
  })

  it("OPTIONS of the server as a whole has no route", async () => {
    const out = await run("curl", ["-sS", "-X", "OPTIONS", "--request-target", "*", "-w", "%{http_code}", url("/")])
    expect(out).toBe("route not found404")
  })

  it("--path-as-is: dots go as they came", async () => {
    expect(await curl("--path-as-is", url("/a/../b/./c"))).toMatchObject({ url: "/a/../b/./c" })
  })

  it("through the gateway as a proxy: plain by its address, TLS by a tunnel", async () => {
    const seen = await curl("-x", url(""), `http://127.0.0.1:${front.upstream}/through?x=1`)
    expect(seen).toMatchObject({ came: "200 1.1", url: "/through?x=1" })
    const at = front.secure
    const tunnelled = await run("curl", ["-sS", "-x", url(""), "--cacert", caFile, `https://127.0.0.1:${at}/`])
    expect(tunnelled).toBe("tunnels")
    const forced = await run("curl", ["-sS", "-p", "-x", url(""), `http://127.0.0.1:${front.upstream}/p`])
    expect(JSON.parse(forced)).toMatchObject({ url: "/p" })
  })

  it("several requests on one connection, and many side by side", async () => {
    const connects = await run("curl", [
      "-sS",
      "-o",
      "/dev/null",
      "-o",
      "/dev/null",
      "-o",
      "/dev/null",
      "-w",
      "%{num_connects}",
      url("/1"),
      url("/2"),
      url("/3"),
    ])
    expect(connects).toBe("100")
    const many = Array.from({ length: 30 }, (_, i) => ["-o", "/dev/null", url(`/${i}`)]).flat()
    const statuses = await run("curl", ["-sS", "-Z", "--parallel-max", "10", "-w", "%{http_code} ", ...many])
    expect(statuses.trim().split(" ")).toEqual(Array<string>(30).fill("200"))
  })

  it("events as they come, and trailers", async () => {
    expect(await run("curl", ["-sSN", url("/events")])).toContain("data: event 2\n\n")
    const out = await run("curl", ["-sS", "--raw", url("/trailers")])
    expect(out).toMatch(/0\r\nx-sum: 1\r\n\r\n$/)
  })

  it("that gives up in the middle leaves nothing behind", async () => {
    await expect(
      run("curl", ["-sS", "--limit-rate", "10k", "--max-time", "0.3", "-o", "/dev/null", url("/large")]),
    ).rejects.toThrow()
    await until("its exchange ended", () => front.gateway.gateway.open().exchanges === 0)
  })
})

describe.runIf(has.python)(ifThere("python", "the HTTP client of Python"), { timeout: 60_000 }, () => {
  it("keeps a connection, sends with a length and in chunks, and reads every kind of reply", async () => {
    const script = `
import http.client, hashlib, json, sys, urllib.request, urllib.error
c = http.client.HTTPConnection("127.0.0.1", ${front.port}, timeout=20)
def ask(method, path, body=None, headers={}, **more):
    c.request(method, path, body=body, headers=headers, **more)
    r = c.getresponse()
    return r.status, r.read()
for i in range(5):
    status, text = ask("GET", "/py?i=%d" % i)
    assert status == 200 and json.loads(text)["url"] == "/py?i=%d" % i
    sock = c.sock if i == 0 else sock
    assert c.sock is sock
status, text = ask("HEAD", "/range")
assert (status, text) == (200, b"")
big = b"x" * 500000
status, text = ask("POST", "/py", body=big)
assert json.loads(text)["length"] == len(big)
status, text = ask("POST", "/py", body=(big[i:i+1000] for i in range(0, len(big), 1000)), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
assert json.loads(text)["sum"] == hashlib.sha256(big).hexdigest()
status, text = ask("GET", "/large")
assert hashlib.sha256(text).hexdigest() == "${sum(large)}"
status, text = ask("DELETE", "/py")
assert json.loads(text)["method"] == "DELETE"
assert c.sock is sock
c.close()
with urllib.request.urlopen("http://127.0.0.1:${front.port}/py") as r:
    assert r.status == 200
req = urllib.request.Request("http://x.test/ws")
req.set_proxy("127.0.0.1:${front.port}", "http")
try:
    urllib.request.urlopen(req)
    assert False
except urllib.error.HTTPError as e:
    assert e.code == 426
print("good")
`
    expect(await run("python3", ["-c", script])).toBe("good\n")
  })
})

describe.runIf(has.wrk)(ifThere("wrk", "wrk"), { timeout: 60_000 }, () => {
  it("gets 200 for everything", async () => {
    const out = await run("wrk", ["-t1", "-c20", "-d1s", url("/range")])
    expect(out).not.toMatch(/Non-2xx|Socket errors/)
    expect(Number(/(\d+) requests in/.exec(out)?.[1])).toBeGreaterThan(20)
  })
})
