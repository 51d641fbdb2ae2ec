import {
  boolean,
  checked,
  duration,
  httpMethod,
  list,
  map,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { adaptorFields, codingProblems } from '../adaptor-fields.js'
import { templateProblems } from '../builder-fields.js'
import { defineFilterKind } from '../contract.js'
import { headerAdapt, pathAdapt } from '../fields.js'
import { headerHoisting, headerNameList, signingLiteral, WORDS_V2 } from '../signer-fields.js'

const id = { pattern: /^[^\s/,]+$/, expected: 'an id without "/", "," and blanks' }

const sign = object(
  {
    apiProvider: oneOf(['', 'aws4'], {
      doc: '`aws4` takes the words of AWS Signature Version 4, whatever `literal` says.',
      default: '',
    }),
    accessKeyId: string({ doc: 'Whose signature it is.', ...id }),
    accessKeySecret: string({ doc: 'And the secret.', min: 1 }),
    scopes: list(string({ doc: '', ...id }), {
      doc: 'What the signature is good for; AWS: region and service.',
      default: [],
    }),
    excludeBody: boolean({ doc: 'The body is not part of the signature.', default: false }),
    ignoredHeaders: headerNameList('Headers that are not part of the signature.'),
    literal: signingLiteral(WORDS_V2),
    ttl: duration({ doc: 'For those who check signatures. Not used here.', default: '0s' }),
    accessKeys: map(string({ doc: '' }), {
      doc: 'For those who check signatures. Not used here.',
      default: {},
    }),
    headerHoisting,
  },
  { doc: 'Signs the request, last of all.', optional: true },
)
export type SignSpec = Exclude<SpecOf<typeof sign>, undefined>

const fields = object({
  host: string({
    doc: 'The new Host.',
    pattern: /^[\x21-\x7e]*$/,
    expected: 'a host, port included where it needs one',
    default: '',
  }),
  method: httpMethod({ doc: 'The new method.', optional: true }),
  path: pathAdapt,
  header: headerAdapt,
  body: string({ doc: 'The new body.', default: '' }),
  ...adaptorFields,
  sign,
})

const spec = checked(checked(fields, codingProblems), (each): SpecProblem[] =>
  templateProblems(each),
)
export type SpecV2 = SpecOf<typeof spec>

export const requestAdaptorV2 = defineFilterKind<SpecV2>({
  kind: 'RequestAdaptor',
  summary: 'Changes method, path, host, headers or body of the request, codes or signs it.',
  results: ['decompressFailed', 'compressFailed', 'signFailed', 'buildErr'],
  isPure: true,
  spec,
  load: () => import('./request-adaptor-v2.js'),
})
