/** What to do about an address that cannot be opened, by what the system says about it. */
export const listenRemedy = (cause: string, other: string): string => {
  if (/\b(?:EACCES|EPERM)\b/.test(cause)) {
    return `Allow it to the process (ports below 1024 take root, or CAP_NET_BIND_SERVICE), or ${other}.`
  }
  if (/\bEADDRNOTAVAIL\b/.test(cause)) return `Give this machine the address, or ${other}.`
  if (/\bE(?:MFILE|NFILE)\b/.test(cause)) return "Raise the limit of open files."
  return `Free the address, or ${other}.`
}
