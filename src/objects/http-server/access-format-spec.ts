/** What a line of the access log may be made of (compat/traffic-v2.md §3.5). */
export const ACCESS_VARIABLES = [
  'Time',
  'RemoteAddr',
  'RealIP',
  'Method',
  'URI',
  'Proto',
  'StatusCode',
  'Duration',
  'ReqSize',
  'RespSize',
  'ReqHeaders',
  'RespHeaders',
  'Tags',
] as const
export type AccessVariable = (typeof ACCESS_VARIABLES)[number]

/** A variable in a format; its name is group 1. */
export const IN_BRACES = /\{\{([^{}]*)\}\}/g

/** What is wrong with a format, or null. */
export function checkLogFormat(format: string): string | null {
  for (const [text, name] of format.matchAll(IN_BRACES)) {
    if ((ACCESS_VARIABLES as readonly string[]).includes(name ?? '')) continue
    return `no variable ${text}; there are ${ACCESS_VARIABLES.join(', ')}`
  }
  return null
}
