import { list, object, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'

/** Bodies that headers are put into are held whole, up to this; longer ones get 413. */
const BODY_BYTES_MAX = 4 * 1024 * 1024

const spec = object({
  headerMap: list(
    object({
      header: string({ doc: 'Name of the header.', min: 1 }),
      json: string({ doc: 'Key in the body.', min: 1 }),
    }),
    { doc: 'Headers to put into the body.' },
  ),
})
export type Spec = SpecOf<typeof spec>

export const headerToJson = defineFilterKind<Spec>({
  kind: 'HeaderToJSON',
  summary: 'Puts headers of the request into its JSON body.',
  results: ['jsonEncodeDecodeErr', 'bodyReadErr'],
  isPure: true,
  spec,
  requestBodyBytes: () => BODY_BYTES_MAX,
  load: () => import('./header-to-json.js'),
})
