import { describe, expect, it } from "vitest"
import { helpAbout, parse, subcommands } from "../../src/cli/flags.ts"
import { inputOf } from "../../src/cli/input.ts"

const said = (...words: ReadonlyArray<string>): string => {
  const asked = parse(words)
  return asked._tag === "Usage" ? asked.message : `not refused: ${asked._tag}`
}

describe("words on the command line", () => {
  it("none means to serve, and flags say what", () => {
    expect(parse([])).toEqual({ _tag: "Serve", file: undefined, text: undefined, validateOnly: false })
    expect(parse(["-f", "a"])).toMatchObject({ _tag: "Serve", file: "a" })
    expect(parse(["--file=a"])).toMatchObject({ _tag: "Serve", file: "a" })
    expect(parse(["-c", "{}"])).toMatchObject({ _tag: "Serve", text: "{}" })
    expect(parse(["-f", "-", "--validate-only"])).toMatchObject({ _tag: "Serve", file: "-", validateOnly: true })
  })

  it("versions and help win over everything else", () => {
    expect(parse(["-V"])).toEqual({ _tag: "Version", short: true })
    expect(parse(["--version", "-f", "a"])).toEqual({ _tag: "Version", short: false })
    for (const words of [["-h"], ["--help", "-f", "a"], ["help"], ["help", "help"], ["help", "me"]]) {
      expect(parse(words)).toEqual({ _tag: "Help" })
    }
    for (const words of [
      ["validate", "--help"],
      ["validate", "-h", "a"],
      ["help", "validate"],
    ]) {
      expect(parse(words)).toEqual({ _tag: "Help", about: "validate" })
    }
  })

  it("commands take one file, by place or by flag", () => {
    expect(parse(["validate", "a"])).toEqual({ _tag: "Validate", file: "a", json: false })
    expect(parse(["validate", "-f", "a", "--json"])).toEqual({ _tag: "Validate", file: "a", json: true })
    expect(parse(["init"])).toEqual({ _tag: "Init", file: "config.yaml" })
    expect(parse(["init", "-f", "mine.yaml"])).toEqual({ _tag: "Init", file: "mine.yaml" })
    expect(parse(["init", "--help"])).toEqual({ _tag: "Help", about: "init" })
    expect(parse(["explain", "a", "-r", "GET http://h/", "-H", "a: b", "-H", "c: d"])).toEqual({
      _tag: "Explain",
      file: "a",
      request: "GET http://h/",
      headers: ["a: b", "c: d"],
      json: false,
    })
    expect(said("validate")).toContain("needs a file")
    expect(said("validate", "a", "b")).toBe("one file at a time, got a, b")
    expect(said("validate", "a", "-f", "b")).toContain("one file at a time")
    expect(said("explain", "a")).toContain("needs --request")
    expect(said("explain", "-r", "GET http://h/")).toContain("needs a file")
    expect(said("init", "a", "b")).toContain("one file at a time")
  })

  it("what is unknown is refused", () => {
    expect(said("--prot")).toBe("Unknown option '--prot'")
    expect(said("validate", "a", "--yes")).toBe("Unknown option '--yes'")
    expect(said("run")).toContain('unknown command "run"; the commands are validate, ')
    expect(said("vlidate", "a")).toContain('unknown command "vlidate"; did you mean validate? the commands are ')
    expect(said("gateway.yaml")).toBe('unknown command "gateway.yaml"; to run with a file: sluice -f gateway.yaml')
    expect(said("-f", "a", "-f", "b")).toBe("one file at a time, got a, b")
    expect(said("-c", "{}", "-c", "{}")).toBe("one --config at a time")
    expect(said("validate", "-f", "a", "-f", "b")).toBe("one file at a time, got a, b")
    expect(said("-f", "a", "validate")).toBe("the command comes first: sluice validate …")
    expect(said("-c", "{}", "-f", "a")).toBe("only one of --config or --file")
    expect(said("--file")).toContain("--file")
  })
})

describe("help", () => {
  it.each(subcommands.filter((one) => one !== "help"))("about %s says how to use it, and nothing else", (command) => {
    const text = helpAbout(command)
    expect(text).toMatch(new RegExp(`^ {2}sluice ${command} `))
    for (const [, other] of text.matchAll(/^ {2}sluice (\S+)/gm)) expect(other).toBe(command)
    expect(text.split("\n").length).toBeLessThan(12)
  })
})

describe("where the configuration comes from", () => {
  const none = { file: undefined, text: undefined }

  it("flags first; the environment where there are none; the example last", () => {
    expect(inputOf({ ...none, text: "x" }, {})).toEqual({ path: "<config>", text: "x", isEmbedded: false })
    expect(inputOf({ ...none, file: "a" }, {})).toEqual({ path: "a", text: undefined, isEmbedded: false })
    expect(inputOf(none, { LOCAL_XDS_PATH: "b" })).toMatchObject({ path: "b", isEmbedded: false })
    expect(inputOf(none, { LOCAL_XDS_PATH: "" })).toMatchObject({ isEmbedded: true })
    expect(inputOf(none, {})).toMatchObject({ path: "<embedded>", isEmbedded: true })
  })

  it("two at once, none in Kubernetes, and one that cannot be read are refused", () => {
    expect(inputOf({ ...none, file: "a" }, { LOCAL_XDS_PATH: "b" })).toMatchObject({ _tag: "NoInput" })
    expect(inputOf(none, { KUBERNETES_SERVICE_HOST: "10.0.0.1" })).toMatchObject({ _tag: "NoInput" })
    expect(inputOf({ ...none, file: "/dev/fd/9999" }, {})).toMatchObject({ _tag: "NoInput" })
  })
})
