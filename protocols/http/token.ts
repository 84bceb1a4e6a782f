/** What names of fields, methods and other words of HTTP are made of (RFC 9110 §5.6.2). */
export const word = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"

export const token = new RegExp(`^${word}$`)
