/** What a template may name: `result0` to `result9`. */
const NUMBERED = Array.from({ length: 10 }, (_, number) => `result${number}`)

export const RESULTS: readonly string[] = [...NUMBERED, 'buildErr', 'unknown']
