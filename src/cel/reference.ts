/** The reference page of expressions, made from what the checker knows. */
import { functions, specialForms } from "../../ir/cel/functions.ts"
import { macroNames } from "../../ir/cel/parse.ts"
import { print, type RecordType, type Signature, type Type } from "../../ir/cel/Type.ts"
import { type Use, uses } from "../../ir/cel/uses.ts"
import { type Context, contextNames, contexts } from "../../ir/cel/variables.ts"

export const celReferencePath = "docs/reference/cel.md"

const letters = (type: Type): string =>
  type.kind === "variable"
    ? type.id < 0
      ? String.fromCharCode(-type.id)
      : "dyn"
    : type.kind === "record" || type.arguments.length === 0
      ? print(type)
      : `${type.name}<${type.arguments.map(letters).join(", ")}>`

const signature = ({ member, name, parameters, result, variadic }: Signature): string => {
  const [receiver, ...rest] = member ? parameters : [undefined, ...parameters]
  const listed = rest.map((one, i) =>
    one === undefined ? "" : letters(one) + (variadic && i === rest.length - 1 ? "…" : ""),
  )
  return `${receiver === undefined ? "" : `${letters(receiver)}.`}${name}(${listed.join(", ")}) → ${letters(result)}`
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const fieldsOf = (path: string, type: Type): ReadonlyArray<readonly [string, string]> => {
  if (type.kind === "named" && type.name === "list") {
    const [element] = type.arguments
    return element?.kind === "record"
      ? [[path, "list"], ...fieldsOf(`${path}[…]`, element).slice(1)]
      : [[path, print(type)]]
  }
  if (type.kind !== "record") return [[path, print(type)]]
  const own = Object.entries(type.fields).flatMap(([name, field]) => fieldsOf(`${path}.${name}`, field))
  return [[path, "map"], ...own, ...(type.rest === undefined ? [] : [[`${path}.<any>`, print(type.rest)] as const])]
}

const everything: Readonly<Record<string, Type>> = { ...contexts.llm, ...contexts.log }

const names = Object.entries(contextNames) as ReadonlyArray<readonly [Context, string]>

const isRecord = (type: Type | undefined): type is RecordType => type?.kind === "record"

/** A part that only some of the places with the variable know. */
const differs = (variable: string, context: Context): boolean => {
  const here = contexts[context][variable]
  const most = everything[variable]
  return isRecord(here) && isRecord(most) && Object.keys(here.fields).length < Object.keys(most.fields).length
}

const mark = (variable: string, context: Context): string =>
  Object.hasOwn(contexts[context], variable) ? (differs(variable, context) ? "in part" : "✓") : ""

const availability = Object.keys(everything)
  .map((variable) => `| \`${variable}\` | ${names.map(([context]) => mark(variable, context)).join(" | ")} |`)
  .join("\n")

const variables = Object.entries(everything)
  .flatMap(([name, type]) => fieldsOf(name, type))
  .map(([path, type]) => `| \`${path}\` | \`${cell(type)}\` |`)
  .join("\n")

const callable = [...functions.values()]
  .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  .map(
    ({ name, signatures }) =>
      `| \`${name}\` | ${signatures.map((one) => `\`${cell(signature(one))}\``).join("<br>")} |`,
  )
  .join("\n")

const taken = (Object.entries(uses) as ReadonlyArray<readonly [Use, ReadonlyArray<Type> | undefined]>)
  .map(([use, types]) => `| \`${use}\` | ${types === undefined ? "anything" : types.map(print).map(cell).join(", ")} |`)
  .join("\n")

export const celReferenceText = (): string => `# Reference of expressions

Written by \`npm run reference\` from what the gateway checks expressions with. [Expressions](../expressions.md) says how
they are used and what happens when one fails.

## Variables

Those that are absent are null; a field that is absent is an error, which \`has\`, \`default\` and \`.?\` catch.
\`query\` and \`redacted\` are strings with functions of their own, \`headers\` is a map with some.

| variable | type |
|---|---|
${variables}

## Where they are known

In part: without the fields that only what comes later can tell, such as \`request.endTime\`.

| | ${names.map(([, name]) => name).join(" | ")} |
|---|${names.map(() => "---").join("|")}|
${availability}

Names of these places for \`sluice cel --place\`: ${names.map(([context]) => `\`${context}\``).join(", ")}.

## Results that are taken

By the label that the metric \`agentgateway_expression_failures_total\` has for the use.

| use | type |
|---|---|
${taken}

## Macros

${[...macroNames]
  .toSorted()
  .map((name) => `\`${name}\``)
  .join(", ")}; and ${[...specialForms]
  .toSorted()
  .map((name) => `\`${name}\``)
  .join(", ")}, which
evaluate only the arguments they need.

## Functions

A capital stands for any type, the same one wherever it is repeated.

| function | signatures |
|---|---|
${callable}
`
