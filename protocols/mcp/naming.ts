/**
 * Names and addresses of many servers in one space. A target's name holds neither `_` nor `+`, so the first of them ends
 * it; names that would grow too long are cut and marked, and then only a table leads back.
 */

/** What clients take at most. */
export const NAME_CHARS_MAX = 128

const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/

/** Resources of this kind can be fetched by the client itself, so their addresses stay true. */
const isWeb = (uri: string): boolean => /^https?:/i.test(uri)

export const prefixed = (target: string, name: string, digest: (text: string) => string): string => {
  const whole = `${target}_${name}`
  return whole.length <= NAME_CHARS_MAX ? whole : `${whole.slice(0, NAME_CHARS_MAX - 9)}_${digest(whole).slice(0, 8)}`
}

/** Undefined: there is no prefix. */
export const split = (name: string): { readonly target: string; readonly name: string } | undefined => {
  const at = name.indexOf("_")
  return at <= 0 ? undefined : { target: name.slice(0, at), name: name.slice(at + 1) }
}

const ui = "ui://"

export const prefixedUri = (target: string, uri: string): string => {
  if (uri.startsWith(ui)) return `${ui}${target}+${uri.slice(ui.length)}`
  return !scheme.test(uri) || isWeb(uri) ? uri : `${target}+${uri}`
}

/** Undefined: the address does not say whose it is. */
export const splitUri = (uri: string): { readonly target: string; readonly uri: string } | undefined => {
  if (uri.startsWith(ui)) {
    const rest = uri.slice(ui.length)
    const at = rest.indexOf("+")
    return at <= 0 ? undefined : { target: rest.slice(0, at), uri: `${ui}${rest.slice(at + 1)}` }
  }
  const at = uri.indexOf("+")
  if (at <= 0 || isWeb(uri)) return undefined
  const rest = uri.slice(at + 1)
  // A scheme may hold a plus sign of its own; ours is followed by a whole address.
  return scheme.test(rest) && !rest.startsWith(ui) ? { target: uri.slice(0, at), uri: rest } : undefined
}
