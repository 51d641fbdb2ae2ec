import { integer, object, oneOf, type SpecOf, string } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { NAME_PARTS, type NamePart } from './name-spec.js'

const spec = object({
  certIndex: integer({
    doc: 'Which certificate of the chain that the client sent, from 0; from the end below 0.',
    min: -32_768,
    max: 32_767,
    default: 0,
  }),
  target: oneOf(['subject', 'issuer'], { doc: 'Whose name.' }),
  field: oneOf(Object.keys(NAME_PARTS) as NamePart[], { doc: 'Part of the name.' }),
  headerKey: string({
    doc: 'Header that gets it; `tls-<target>-<field>` without.',
    pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]*$/,
    expected: 'the name of a header',
    default: '',
  }),
})
export type Spec = SpecOf<typeof spec>

export const certExtractor = defineFilterKind<Spec>({
  kind: 'CertExtractor',
  summary: 'Tells the back end what the certificate of the client says.',
  results: [],
  isPure: true,
  spec,
  load: () => import('./cert-extractor.js'),
})
