import { boolean, duration, list, map, object, type SpecOf, string } from '../../spec/schema.js'

/** Bodies that are part of a signature are held whole, up to this; longer ones get 413. */
export const SIGNED_BODY_BYTES_MAX = 4 * 1024 * 1024

const token = { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, expected: 'a word as in header names' }
const names = (doc: string) =>
  list(string({ doc: '', ...token }), { doc, unique: true, default: [] })

const literal = object(
  {
    scopeSuffix: string({
      doc: 'Last part of a scope; AWS: `aws4_request`.',
      ...token,
      default: 'megaease_request',
    }),
    algorithmName: string({
      doc: 'Query parameter; AWS: `X-Amz-Algorithm`.',
      ...token,
      default: 'X-Me-Algorithm',
    }),
    algorithmValue: string({
      doc: 'What it says, and how `Authorization` begins; AWS: `AWS4-HMAC-SHA256`.',
      ...token,
      default: 'ME-HMAC-SHA256',
    }),
    signedHeaders: string({
      doc: 'Query parameter; AWS: `X-Amz-SignedHeaders`.',
      ...token,
      default: 'X-Me-SignedHeaders',
    }),
    signature: string({
      doc: 'Query parameter; AWS: `X-Amz-Signature`.',
      ...token,
      default: 'X-Me-Signature',
    }),
    date: string({
      doc: 'Header or query parameter; AWS: `X-Amz-Date`.',
      ...token,
      default: 'X-Me-Date',
    }),
    expires: string({
      doc: 'Query parameter; AWS: `X-Amz-Expires`.',
      ...token,
      default: 'X-Me-Expires',
    }),
    credential: string({
      doc: 'Query parameter; AWS: `X-Amz-Credential`.',
      ...token,
      default: 'X-Me-Credential',
    }),
    contentSha256: string({
      doc: 'Header that signers may set; never trusted here. AWS: `X-Amz-Content-Sha256`.',
      ...token,
      default: 'X-Me-Content-Sha256',
    }),
    signingKeyPrefix: string({ doc: 'In front of secrets; AWS: `AWS4`.', default: 'ME' }),
  },
  { doc: 'Words of the signing scheme; those of AWS make it Signature Version 4.', default: {} },
)

const headerHoisting = object(
  {
    allowedPrefix: names('Beginnings of names to move.'),
    disallowedPrefix: names('Beginnings of names not to move.'),
    disallowed: names('Names not to move.'),
  },
  { doc: 'For those who sign: headers to move into the query. Not used here.', optional: true },
)

export const signature = object(
  {
    literal,
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
    ignoredHeaders: names('For those who sign: headers not to sign. Not used here.'),
    accessKeyId: string({ doc: 'For those who sign. Not used here.', default: '' }),
    accessKeySecret: string({ doc: 'For those who sign. Not used here.', default: '' }),
  },
  { doc: 'Check of a signed request.', optional: true },
)
export type SignatureSpec = Exclude<SpecOf<typeof signature>, undefined>
