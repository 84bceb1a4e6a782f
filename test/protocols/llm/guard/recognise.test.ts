import { describe, expect, it } from "vitest"
import { type Entity, keywords, recognise } from "../../../../protocols/llm/guard/recognise.ts"

const found = (entity: Entity, text: string): ReadonlyArray<string> =>
  recognise(entity, text).map(({ start, end }) => text.slice(start, end))

const cases: Readonly<Record<Entity, { readonly yes: ReadonlyArray<string>; readonly no: ReadonlyArray<string> }>> = {
  email: {
    yes: ["jane@example.com", "j.doe+tag@mail.example.co.uk", "a_b%c@x-y.museum"],
    no: ["jane@localhost", "@example.com", "jane@", "a@b.1", "one @ two.com"],
  },
  phoneNumber: {
    yes: [
      "+1 415 555 2671",
      "(415) 555-2671",
      "415-555-2671",
      "+44 20 7946 0958",
      "020 7946 0958",
      "+49 (0)30 901820",
      "+91 98765 43210",
      "+972 3-1234567",
      "+55 11 91234-5678",
    ],
    no: ["12345678", "2026-11-27", "192.168.100.200", "1,234,567.89", "+1 234", "0000000000"],
  },
  creditCard: {
    yes: [
      "4111 1111 1111 1111",
      "4111-1111-1111-1111",
      "5555555555554444",
      "378282246310005",
      "6011111111111117",
      "2223003122003222",
      "3530111333300000",
    ],
    no: ["4111 1111 1111 1112", "1234 5678 9012 3456", "411111111111", "id4111111111111111", "9111111111111111"],
  },
  iban: {
    yes: ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NL91ABNA0417164300"],
    no: ["DE89 3704 0044 0532 0130 01", "GB82WEST1234569876543", "ZZ82WEST12345698765432", "XDE89370400440532013000"],
  },
  ssn: {
    yes: ["078-05-1120", "219 09 9999", "219.09.9999", "219099999", "07805-1120"],
    no: [
      "000-12-3456",
      "666-12-3456",
      "900-12-3456",
      "123-00-4567",
      "123-45-0000",
      "078-05 1120",
      "0780511201",
      "078-051-120",
    ],
  },
  caSin: {
    yes: ["046-454-286".replace("046", "130").replace("454-286", "692-544"), "130 692 544", "130692544"],
    no: ["130 692 545", "046 454 286", "130-692 544", "1306925440"],
  },
  ipAddress: {
    yes: ["192.168.0.1", "2001:db8:85a3:0:0:8a2e:370:7334", "2001:db8::1"],
    no: ["256.1.1.1", "1.2.3", "1.2.3.4.5", "12:34:56", "a::b::c"],
  },
  secretKey: {
    yes: [
      "sk-proj-abcdefghijklmnopqrstuvwx",
      "AKIAIOSFODNN7EXAMPLE",
      "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
      `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${"s".repeat(43)}`,
    ],
    no: ["sk-short", "risk-management-is-important-for-everyone", "AKIA", "eyJ.eyJ.x"],
  },
}

describe.each(Object.entries(cases))("%s", (entity, { no, yes }) => {
  it.each(yes)("is %s", (text) => {
    expect(found(entity as Entity, text)).toEqual([text])
    expect(found(entity as Entity, `It is ${text}, yes`)).toEqual([text])
  })
  it.each(no)("is not %s", (text) => expect(found(entity as Entity, `It is ${text}, no`)).toEqual([]))
})

describe("several in one text", () => {
  it("are all found", () => {
    expect(found("email", "a@b.com,c@d.org;<e@f.net>")).toEqual(["a@b.com", "c@d.org", "e@f.net"])
    expect(found("ssn", "078-05-1120 and 219-09-9999.")).toEqual(["078-05-1120", "219-09-9999"])
    expect(found("phoneNumber", "call 415-555-2671. Or (415) 555-2672")).toEqual(["415-555-2671", "(415) 555-2672"])
  })
})

describe("keywords", () => {
  const find = (words: ReadonlyArray<string>, text: string) =>
    keywords(words)(text).map(({ start, end }) => text.slice(start, end))

  it("are whole words and phrases of any case", () => {
    expect(find(["project x", "straße"], "Project X, projects x, PROJECT XY, Straße! STRASSE")).toEqual([
      "Project X",
      "Straße",
    ])
    expect(find(["c++"], "C++ and c+++")).toEqual(["C++", "c++"])
    expect(find(["ä"], "Ä ähnlich äh ä")).toEqual(["Ä", "ä"])
  })
})
