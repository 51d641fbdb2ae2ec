import type { Exchange } from '../http/exchange.js'
import type { Template } from '../http/template.js'

/** A variable may stand in a text a thousand times, and its value is for clients to choose. */
export const RENDERED_CHARS_MAX = 4 * 1024 * 1024

/** The bytes of a body; null: it would be too long, and the exchange is over, answered with a 500. */
export function renderedBody(template: Template, ex: Exchange): Buffer | null {
  const text = template.literal ?? template.render(ex)
  if (template.literal !== null || text.length <= RENDERED_CHARS_MAX) return Buffer.from(text)
  ex.engine?.endWith(ex, 500, 'the text of a template is too long\n')
  return null
}
