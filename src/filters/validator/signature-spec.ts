import { boolean, duration, map, object, type SpecOf, string } from '../../spec/schema.js'
import {
  headerHoisting,
  headerNameList,
  type SigningWords,
  signingLiteral,
  WORDS_V1,
  WORDS_V2,
} from '../signer-fields.js'

/** Bodies that are part of a signature are held whole, up to this; longer ones get 413. */
export const SIGNED_BODY_BYTES_MAX = 4 * 1024 * 1024

const signatureWith = (words: SigningWords) =>
  object(
    {
      literal: signingLiteral(words),
      ttl: duration({
        doc: 'How far the time of a signature may be from now, before or after; `0s` for any.',
        default: '0s',
      }),
      excludeBody: boolean({
        doc: 'The body is not part of the signature, so it is neither read nor protected.',
        default: false,
      }),
      accessKeys: map(string({ doc: '', min: 1 }), {
        doc: 'Secrets of all who may sign, by access key id.',
        key: string({
          doc: '',
          pattern: /^[^\s/,]+$/,
          expected: 'an id without "/", "," and blanks',
        }),
        min: 1,
      }),
      headerHoisting,
      ignoredHeaders: headerNameList('For those who sign: headers not to sign. Not used here.'),
      accessKeyId: string({ doc: 'For those who sign. Not used here.', default: '' }),
      accessKeySecret: string({ doc: 'For those who sign. Not used here.', default: '' }),
    },
    { doc: 'Check of a signed request.', optional: true },
  )
export const signature = signatureWith(WORDS_V1)
export const signatureV2 = signatureWith(WORDS_V2)
export type SignatureSpec = Exclude<SpecOf<typeof signature>, undefined>
