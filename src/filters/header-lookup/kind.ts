import { list, object, regexp, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { prefixOf } from '../custom-data.js'

const headerName = {
  pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
  expected: 'the name of a header',
}

const spec = object({
  headerKey: string({ doc: 'Field of the request whose value is looked up.', ...headerName }),
  etcdPrefix: string({
    doc: 'What keys of custom data begin with: the kind and a slash, as in `users/`.',
    min: 1,
  }),
  pathRegExp: regexp({
    doc: 'Its first group in the path is added to the key, behind a `-`.',
    optional: true,
  }),
  headerSetters: list(
    object({
      etcdKey: string({ doc: 'Field of the item that was found.', min: 1 }),
      headerKey: string({ doc: 'Field of the request that gets its value.', ...headerName }),
    }),
    { doc: 'What is taken from the item.', min: 1 },
  ),
})
export type Spec = SpecOf<typeof spec>

export const headerLookup = defineFilterKind<Spec>({
  kind: 'HeaderLookup',
  summary: 'Sets header fields of the request from an item of custom data.',
  results: [],
  isPure: true,
  spec,
  data: (fields) => [prefixOf(fields.etcdPrefix)],
  load: () => import('./header-lookup.js'),
})
