/**
 * Which gateways of this kind a question has passed, and which of their places: said to proxies in `Via` (RFC 9110
 * §7.6.3), and to whoever asks further within the same trace in `tracestate` (W3C Trace Context §3.3).
 */

/** A question passes no more of our gateways. */
export const HOPS_MAX = 16
/** Agents may ask each other back within one trace, but not for ever. */
export const VISITS_MAX = 4

const pseudonym = "sluice"
const signature = /^\S+\s+sluice(?:-([0-9a-z]+))?(?:\s|$)/i
/** What one place is called in a trace. */
const placeName = /^[0-9a-z]{1,16}$/

/** Of every gateway of ours in the order they were passed, the place; an empty text where it does not say which. */
export const placesInVia = (values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values
    .flatMap((value) => value.split(","))
    .flatMap((one) => {
      const found = signature.exec(one.trim())
      return found === null ? [] : [(found[1] ?? "").toLowerCase()]
    })

const membersOf = (tracestate: string | undefined): ReadonlyArray<string> =>
  tracestate === undefined
    ? []
    : tracestate
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== "")

const isOurs = (member: string): boolean => member.startsWith(`${pseudonym}=`)

export const placesInState = (tracestate: string | undefined): ReadonlyArray<string> => {
  const own = membersOf(tracestate).find(isOurs)
  return own === undefined
    ? []
    : own
        .slice(pseudonym.length + 1)
        .split(".")
        .filter((one) => placeName.test(one))
}

/** Why a question goes no further from a place; undefined: it may. */
export const circle = (
  via: ReadonlyArray<string>,
  tracestate: string | undefined,
  place: string | undefined,
): string | undefined => {
  const passed = placesInVia(via)
  if (passed.length >= HOPS_MAX) return `it has passed ${HOPS_MAX} gateways`
  if (place !== undefined && passed.includes(place)) return "it has come back to where it has been"
  const traced = placesInState(tracestate)
  if (traced.length >= HOPS_MAX) return `${HOPS_MAX} questions led to this one`
  return place !== undefined && traced.filter((one) => one === place).length >= VISITS_MAX
    ? `the questions that led to this one have been here ${VISITS_MAX} times`
    : undefined
}

/** The entry of a place in `Via`. */
export const viaOf = (version: string, place: string | undefined): string =>
  place === undefined ? `${version} ${pseudonym}` : `${version} ${pseudonym}-${place}`

/** More members are not to be carried (§3.3.1.1). */
const MEMBERS_MAX = 32

/** Whoever changed it last is named first. */
export const stateOf = (tracestate: string | undefined, place: string): string => {
  const others = membersOf(tracestate).filter((one) => !isOurs(one))
  const places = [...placesInState(tracestate), place].slice(-HOPS_MAX)
  return [`${pseudonym}=${places.join(".")}`, ...others.slice(0, MEMBERS_MAX - 1)].join(",")
}
