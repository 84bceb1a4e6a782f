/**
 * SQL with its values kept apart. A value never becomes part of the text, so nothing that a client sent can be read as
 * SQL; one statement is written once and rendered for the dialect that runs it.
 */

export type Value = string | number | null | Uint8Array
export type Dialect = "sqlite" | "postgres"

export interface Statement {
  readonly _tag: "Statement"
  /** One more than there are values: what stands before, between and after them. */
  readonly pieces: ReadonlyArray<string>
  readonly values: ReadonlyArray<Value>
}

/** What a driver runs. */
export interface Rendered {
  readonly text: string
  readonly values: ReadonlyArray<Value>
}

const statement = (pieces: ReadonlyArray<string>, values: ReadonlyArray<Value>): Statement => ({
  _tag: "Statement",
  pieces,
  values,
})

/** Both statements, one after the other. */
const append = (a: Statement, b: Statement): Statement => {
  const [first = "", ...rest] = b.pieces
  return statement([...a.pieces.slice(0, -1), (a.pieces.at(-1) ?? "") + first, ...rest], [...a.values, ...b.values])
}

const isStatement = (value: Value | Statement | undefined): value is Statement =>
  typeof value === "object" && value !== null && "_tag" in value

/** ``sql`SELECT spent FROM budget WHERE id = ${id}` ``; a statement in a statement becomes part of it, undefined is null. */
export const sql = (
  strings: TemplateStringsArray,
  ...values: ReadonlyArray<Value | Statement | undefined>
): Statement => {
  let all = statement([strings[0] ?? ""], [])
  for (const [i, value] of values.entries()) {
    const after = strings[i + 1] ?? ""
    all = append(
      all,
      isStatement(value) ? append(value, statement([after], [])) : statement(["", after], [value ?? null]),
    )
  }
  return all
}

/** Text as it is: for names of columns and the like that our own code chose, never for what somebody sent. */
export const raw = (text: string): Statement => statement([text], [])

export const join = (statements: ReadonlyArray<Statement>, separator: string): Statement =>
  statements.reduce((all, one, i) => append(i === 0 ? all : append(all, raw(separator)), one), statement([""], []))

/** `(?, ?, ?)`, for IN; never true of anything when empty. */
export const list = (values: ReadonlyArray<Value>): Statement =>
  values.length === 0
    ? raw("(NULL)")
    : sql`(${join(
        values.map((value) => sql`${value}`),
        ", ",
      )})`

export const render = ({ pieces, values }: Statement, dialect: Dialect): Rendered => {
  let text = pieces[0] ?? ""
  for (let i = 1; i < pieces.length; i++) text += (dialect === "sqlite" ? "?" : `$${i}`) + (pieces[i] ?? "")
  return { text, values }
}
