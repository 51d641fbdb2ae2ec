import { list, object, type SpecOf, urlName } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'

const spec = object({
  destinations: list(urlName({ doc: '' }), {
    doc: 'Pipelines that may be chosen; the first is taken for requests that name none.',
    min: 1,
  }),
})
export type Spec = SpecOf<typeof spec>

export const bridge = defineFilterKind<Spec>({
  kind: 'Bridge',
  summary: 'Has another pipeline, which the request may choose by a header, handle the request.',
  results: ['destinationNotFound', 'invokeDestinationFailed'],
  spec,
  flows: ({ destinations }) =>
    destinations.map((name, index) => ({ path: ['destinations', index], name })),
  load: () => import('./bridge.js'),
})
